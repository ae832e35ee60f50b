//! How long the work for one request keeps a worker busy.

use crate::error::Error;
use crate::time::nanos;
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Exp1, StandardNormal};
use std::time::Duration;

/// Of a normal distribution, 99 % lie below the mean and so many standard deviations.
const P99: f64 = 2.326_347_874_040_841;

/// A distribution of service times: what the work for one request takes one worker, waiting not counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Service(Shape);

/// All times in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Constant(f64),
    Exponential { mean: f64 },
    Bimodal { share: f64, these: f64, others: f64 },
    LogNormal { median: f64, p99: f64 },
}

impl Service {
    /// Always the same.
    pub fn constant(time: Duration) -> Self {
        Self(Shape::Constant(float(time)))
    }

    /// Exponential: memoryless, many short and few long; 1 % take over 4.6 times the mean.
    pub fn exponential(mean: Duration) -> Self {
        Self(Shape::Exponential { mean: float(mean) })
    }

    /// Two kinds of requests: a `share` of them (0..=1) takes `these`, the rest takes `others`.
    pub fn bimodal(share: f64, these: Duration, others: Duration) -> Self {
        Self(Shape::Bimodal { share, these: float(these), others: float(others) })
    }

    /// Log-normal, as latencies of real services mostly are: half take less than `median`, 1 % more than `p99`.
    pub fn log_normal(median: Duration, p99: Duration) -> Self {
        Self(Shape::LogNormal { median: float(median), p99: float(p99) })
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        Duration::from_nanos(self.mean_nanos() as u64)
    }

    pub(super) fn mean_nanos(&self) -> f64 {
        match self.0 {
            Shape::Constant(time) => time,
            Shape::Exponential { mean } => mean,
            Shape::Bimodal { share, these, others } => share * these + (1.0 - share) * others,
            Shape::LogNormal { median, p99 } => median * (sigma(median, p99).powi(2) / 2.0).exp(),
        }
    }

    /// One service time, in nanoseconds.
    pub(super) fn draw(&self, rng: &mut StdRng) -> f64 {
        match self.0 {
            Shape::Constant(time) => time,
            Shape::Exponential { mean } => mean * exponential(rng),
            Shape::Bimodal { share, these, others } => {
                if rng.random::<f64>() < share {
                    these
                } else {
                    others
                }
            }
            Shape::LogNormal { median, p99 } => {
                let normal: f64 = StandardNormal.sample(rng);
                median * (sigma(median, p99) * normal).exp()
            }
        }
    }

    pub(super) fn validate(&self) -> Result<(), Error> {
        if let Shape::Bimodal { share, .. } = self.0
            && !(0.0..=1.0).contains(&share)
        {
            return Err(Error::invalid(format!(
                "a simulated service of which a share of {share} takes longer: write a share of 0 to 1"
            )));
        }
        if let Shape::LogNormal { median, p99 } = self.0
            && !(p99 >= median && median > 0.0)
        {
            return Err(Error::invalid(format!(
                "a simulated service with a median of {median} ns and a 99th percentile of {p99} ns: write a median over \
                 zero and a percentile that is not below it"
            )));
        }
        if self.mean_nanos() < 1.0 {
            return Err(Error::invalid(
                "a simulated service that takes no time: write a service time of at least a nanosecond",
            ));
        }
        Ok(())
    }
}

fn sigma(median: f64, p99: f64) -> f64 {
    (p99 / median).ln() / P99
}

fn float(time: Duration) -> f64 {
    nanos(time) as f64
}

/// Exponential with mean 1.
pub(super) fn exponential(rng: &mut impl Rng) -> f64 {
    Exp1.sample(rng)
}
