//! One short word for everything that was declared, to notice when code and written files drift apart.

use super::{Period, Slo};
use crate::outcome::Outcome;
use std::time::Duration;

/// A short word for a text, 16 hexadecimal digits.
#[cfg(feature = "artifacts")]
pub(crate) fn fingerprint(text: &str) -> String {
    let mut print = Fingerprint::new();
    print.text(text);
    format!("{:016x}", print.0)
}

impl Slo {
    /// A fingerprint of everything declared, 16 hexadecimal digits: the same in every run and on every machine.
    ///
    /// A running process and the files that were written for it belong together while theirs are equal.
    pub fn declaration(&self) -> String {
        let mut print = Fingerprint::new();
        print.text(&self.name);
        print.text(self.service_name());
        print.text(self.owner.as_deref().unwrap_or_default());
        print.text(self.runbook.as_deref().unwrap_or_default());
        print.duration(self.period.nominal());
        print.number(u64::from(self.period == Period::CalendarMonth));
        print.number(self.policy.steps().count() as u64);
        for (percent, action) in self.policy.steps() {
            print.number(percent.to_bits());
            print.text(action);
        }
        print.number(self.policy.postmortem().to_bits());
        print.text(self.policy.exhausted());
        for outcome in Outcome::ALL {
            for late in [false, true] {
                print.text(self.accounting.verdict(outcome, late).as_str());
            }
        }
        print.number(self.min_events);
        print.duration(self.scraped_every());
        for objective in &self.objectives {
            print.text(objective.name());
            print.number(objective.target().budget_parts());
            print.duration(objective.threshold().unwrap_or_default());
            print.number(u64::from(objective.counts_failures()));
            let (slice, target) = objective.slices().map_or((Duration::ZERO, 0), |(s, t)| (s, t.budget_parts()));
            print.duration(slice);
            print.number(target);
            let alerts = self.alert_windows_of(objective);
            print.number(alerts.len() as u64);
            for alert in alerts {
                print.text(alert.severity().as_str());
                print.duration(alert.long());
                print.duration(alert.short());
                print.duration(alert.pending());
                print.number(alert.factor_micros());
            }
        }
        // Whoever depends on nothing keeps the fingerprint of before there were dependencies.
        for slo in &self.dependencies {
            print.text("depends on");
            print.text(slo);
        }
        format!("{:016x}", print.0)
    }
}

/// FNV-1a, 64 bits: small, and the same everywhere and in every version, unlike the standard library's hasher.
struct Fingerprint(u64);

impl Fingerprint {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn duration(&mut self, duration: Duration) {
        self.bytes(&duration.as_nanos().to_le_bytes());
    }

    /// With its length, so that no two sequences of texts run together.
    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
