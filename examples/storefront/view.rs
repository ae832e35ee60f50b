//! How things stand, read from plimsoll's own handles.

use crate::load::Seen;
use crate::screen::{ShopState, Snapshot};
use crate::story::Act;
use crate::world::World;
use plimsoll::{Outcome, SloHandle, Window};
use std::collections::BTreeSet;
use std::time::Duration;

/// What the numbers on the screen look back on.
const RECENT: Window = Window::seconds(5);

/// Remembers the last look, for rates.
#[derive(Debug, Default)]
pub struct View {
    last: Option<Mark>,
    rates: [f64; 4],
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Duration,
    counts: [u64; 4],
}

impl View {
    /// Looks at everything.
    pub fn look(&mut self, world: &World, at: Duration, act: Act) -> Snapshot {
        self.measure(world, at);
        let guard = world.payments_guard;
        let firing = world.plimsoll.slos().into_iter().filter_map(|slo| {
            let firing = slo.alerts().into_iter().filter(|alert| alert.state.is_firing());
            let severities: BTreeSet<&str> = firing.map(|alert| alert.severity.as_str()).collect();
            let severities: Vec<&str> = severities.into_iter().collect();
            (!severities.is_empty()).then(|| format!("{} {}", slo.name(), severities.join(" ")))
        });
        Snapshot {
            at,
            act,
            shops: [
                shop("shop with guard", world.shops[0], self.rates[0]),
                shop("shop without", world.shops[1], self.rates[1]),
            ],
            called: self.rates[2],
            cached: self.rates[3],
            breaker: guard.state().as_str(),
            explain: guard.explain(),
            alerts: firing.collect(),
        }
    }

    /// Rates over the last second or so.
    fn measure(&mut self, world: &World, at: Duration) {
        let sent = |shop| Seen::get(&world.load.seen(shop).sent);
        let cached = sum(world.payments_guard.outcomes(), |outcome| outcome == Outcome::Degraded);
        let mark = Mark { at, counts: [sent(0), sent(1), world.payments[0].calls(), cached] };
        let Some(last) = self.last else {
            self.last = Some(mark);
            return;
        };
        let seconds = at.saturating_sub(last.at).as_secs_f64();
        if seconds >= 1.0 {
            self.rates = std::array::from_fn(|i| (mark.counts[i] - last.counts[i]) as f64 / seconds);
            self.last = Some(mark);
        }
    }
}

fn shop(name: &'static str, slo: SloHandle, rate: f64) -> ShopState {
    let recent = slo.objective("success").map(|success| (success.reading(RECENT).tally, success.total()));
    let (recent, total) = recent.unwrap_or_default();
    ShopState {
        name,
        rate,
        good: (recent.valid() > 0).then(|| recent.good as f64 / recent.valid() as f64),
        p99: slo.latency(RECENT).quantile(0.99),
        burn: slo.burn_rate(RECENT).ok().map(|burn| burn.value),
        bad_so_far: total.bad,
        budget: slo.budget().remaining,
    }
}

/// How many calls ended in one of the wanted outcomes.
pub fn sum(outcomes: impl Iterator<Item = (Outcome, u64)>, wanted: impl Fn(Outcome) -> bool) -> u64 {
    outcomes.filter(|(outcome, _)| wanted(*outcome)).map(|(_, n)| n).sum()
}
