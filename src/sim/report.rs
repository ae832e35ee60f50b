//! What a simulation came to.

use crate::shed::Priority;
use hdrhistogram::Histogram;
use std::fmt;
use std::time::Duration;

/// What came of it, phase by phase and second by second.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) phases: Vec<PhaseReport>,
    pub(super) seconds: Vec<Second>,
    /// Of the clients that came in each tenth of a second: all, and those answered in time.
    pub(super) tenths: Vec<(u32, u32)>,
}

impl Report {
    /// The phases, in their order.
    pub fn phases(&self) -> &[PhaseReport] {
        &self.phases
    }

    /// The course of it.
    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// How long it took in the last phase until clients fared as in the first: until the first tenth of a second, and nine
    /// more, of whose clients a share was answered in time that is at least 99 % of what it was then. None if it did not
    /// happen before the end.
    pub fn recovery(&self) -> Option<Duration> {
        let (first, last) = (self.phases.first()?, self.phases.last()?);
        let before = 0.99 * first.total().in_time_ratio();
        let begins = (last.begins.as_secs_f64() * 10.0).ceil() as usize;
        let mut seconds = self.tenths.get(begins..)?.windows(10);
        let back = seconds.position(|second| {
            let (all, in_time) = second.iter().fold((0, 0), |sum, tenth| (sum.0 + tenth.0, sum.1 + tenth.1));
            f64::from(in_time) >= before * f64::from(all)
        });
        back.map(|tenths| Duration::from_millis(100 * tenths as u64))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, phase) in self.phases.iter().enumerate() {
            writeln!(f, "phase {number}: {phase}")?;
        }
        Ok(())
    }
}

/// What clients came to that asked in a phase. Each came to exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// How many there were.
    pub offered: u64,
    /// Those answered before they left.
    pub in_time: u64,
    /// Those answered, with whatever, after they had left, or not at all.
    pub late: u64,
    /// Those whose request failed, the last time they asked.
    pub failed: u64,
    /// Those refused, the last time they asked.
    pub refused: u64,
    /// Those who left before anybody worked for them, and for whom nobody did.
    pub left: u64,
}

impl Counts {
    /// The share of them that was answered in time, 0..=1; 1 if there were none.
    pub fn in_time_ratio(&self) -> f64 {
        if self.offered == 0 { 1.0 } else { self.in_time as f64 / self.offered as f64 }
    }

    fn add(&mut self, other: &Self) {
        self.offered += other.offered;
        self.in_time += other.in_time;
        self.late += other.late;
        self.failed += other.failed;
        self.refused += other.refused;
        self.left += other.left;
    }
}

/// What came of one phase, the time to settle left out.
#[derive(Clone, Debug)]
pub struct PhaseReport {
    pub(super) begins: Duration,
    pub(super) measured: Duration,
    pub(super) capacity: f64,
    pub(super) kinds: Vec<(Priority, Counts)>,
    pub(super) attempts: u64,
    pub(super) completed: u64,
    pub(super) completed_in_time: u64,
    pub(super) refusals: Vec<(&'static str, u64)>,
    /// In microseconds.
    pub(super) latencies: Histogram<u64>,
}

impl PhaseReport {
    pub(super) fn new(measured: Duration, kinds: &[Priority]) -> Self {
        Self {
            begins: Duration::ZERO,
            measured,
            capacity: 0.0,
            kinds: kinds.iter().map(|priority| (*priority, Counts::default())).collect(),
            attempts: 0,
            completed: 0,
            completed_in_time: 0,
            refusals: Vec::new(),
            // Up to an hour, to a thousandth.
            latencies: Histogram::new_with_bounds(1, 3_600_000_000, 3)
                .unwrap_or_else(|_| unreachable!("bounds and digits are within what it allows")),
        }
    }

    /// Answers in time, as a share of all that the service could have answered: 1.0 is all that it can do.
    pub fn goodput(&self) -> f64 {
        self.completed_in_time as f64 / (self.capacity * self.measured.as_secs_f64())
    }

    /// What its clients came to.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.kinds.iter().for_each(|(_, counts)| total.add(counts));
        total
    }

    /// What its clients of this priority came to.
    pub fn of(&self, priority: Priority) -> Counts {
        let mut total = Counts::default();
        let kinds = self.kinds.iter().filter(|(known, _)| *known == priority);
        kinds.for_each(|(_, counts)| total.add(counts));
        total
    }

    /// How often clients asked, first attempts and retries.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    /// How many requests the workers answered, in time or late; not those that failed.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// How long those that were answered took, from when the client first asked: the quantile `q`, 0..=1. None if none was
    /// answered.
    pub fn latency(&self, q: f64) -> Option<Duration> {
        if self.latencies.is_empty() {
            return None;
        }
        Some(Duration::from_micros(self.latencies.value_at_quantile(q.clamp(0.0, 1.0))))
    }

    /// How many attempts were refused for which reason.
    pub fn refusals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.refusals.iter().copied()
    }
}

impl fmt::Display for PhaseReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let ms = |q| self.latency(q).map_or("-".to_owned(), |time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
        write!(
            f,
            "goodput {:.3} of capacity; of {} clients {:.2} % answered in time; p50 {}, p99 {}, p99.9 {}",
            self.goodput(),
            total.offered,
            total.in_time_ratio() * 100.0,
            ms(0.5),
            ms(0.99),
            ms(0.999),
        )?;
        if self.kinds.len() > 1 {
            for (priority, counts) in &self.kinds {
                write!(f, "; {priority} {:.2} %", counts.in_time_ratio() * 100.0)?;
            }
        }
        for (reason, n) in &self.refusals {
            write!(f, "; refused {reason}: {n}")?;
        }
        Ok(())
    }
}

/// What happened in one second of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Second {
    /// When it begins, from the beginning of the simulation.
    pub begins: Duration,
    /// How many clients asked for the first time.
    pub offered: u64,
    /// How many requests were answered in time.
    pub in_time: u64,
    /// How many were answered, in time or late.
    pub completed: u64,
    /// How many attempts were refused.
    pub refused: u64,
    /// Half of those answered took at most this, from when the client first asked; none if none was answered.
    pub p50: Option<Duration>,
    /// 99 % of those answered took at most this.
    pub p99: Option<Duration>,
}
