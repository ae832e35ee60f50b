//! Those who wait to be let in: pure, with `now` passed in.
//!
//! The most important go first. Among equals the tenant that was served least lately goes first; then the first come, as
//! long as hardly any of them is refused, and the last come when many are: who came last can still be answered in time,
//! while a long queue served in order makes everybody late (adaptive LIFO, after Facebook's *Fail at Scale*, ACM Queue
//! 2015). And the more are refused, the sooner they are told.

use super::Priority;
use crate::breaker::Reason;
use crate::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::task::Waker;

/// The share of the newest decision in the share of late that was refused.
const NEWEST: f64 = 0.01;
/// When a third is refused, the last come go first in any case; when nobody is, the first come do.
const LIFO: f64 = 3.0;
/// From a quarter refused on whoever waits is told sooner that it is in vain: at the soonest after this share of the target.
pub(super) const SOONEST: f64 = 0.2;
/// Places for waiters that an empty class keeps.
const KEPT: usize = 64;
/// Tenants are told apart by so many numbers.
const TENANTS: usize = 256;
/// What a tenant was served lately counts half after so many calls.
const HALVED: f32 = 512.0;

/// Somebody who waits.
#[derive(Debug)]
struct Waiter {
    who: Who,
    since: Timestamp,
    /// After this it is too late to let it in.
    until: Timestamp,
    waker: Option<Waker>,
}

/// A waiter's number, and its tenant in the lowest bits: in one word, for a line is long and each place in it is stated.
#[derive(Clone, Copy, Debug)]
struct Who(u64);

impl Who {
    /// Of no tenant.
    const NOBODYS: u64 = TENANTS as u64;
    const BITS: u32 = Self::NOBODYS.ilog2() + 1;

    fn new(number: u64, tenant: Option<u64>) -> Self {
        Self(number << Self::BITS | tenant.map_or(Self::NOBODYS, |tenant| tenant % TENANTS as u64))
    }

    fn number(self) -> u64 {
        self.0 >> Self::BITS
    }

    fn tenant(self) -> Option<u64> {
        Some(self.0 % (1 << Self::BITS)).filter(|tenant| *tenant != Self::NOBODYS)
    }
}

/// Those of one priority, in the order in which they came.
#[derive(Debug)]
struct Class {
    priority: Priority,
    waiters: VecDeque<Waiter>,
    /// The share of late that was refused.
    refused: f64,
}

impl Class {
    fn let_in(&mut self) {
        self.refused -= self.refused * NEWEST;
    }

    fn refuse(&mut self) {
        self.refused += (1.0 - self.refused) * NEWEST;
    }

    /// In nanoseconds: after so long who came last goes first, and after so long who waits is refused.
    fn patience(&self, target: u64) -> (u64, u64) {
        let of_target = |share: f64| (target as f64 * share.max(0.0)) as u64;
        (of_target(1.0 - LIFO * self.refused), of_target((1.5 - 2.0 * self.refused).max(SOONEST)))
    }
}

/// What became of somebody who waited and was not told yet.
#[derive(Debug)]
pub(super) enum Settled {
    /// Let in, at this level.
    In(u8),
    Refused(Reason),
}

/// The queue. At most `capacity` wait; one more of equal or greater importance puts out the one who waited longest.
#[derive(Debug)]
pub(super) struct Queue {
    /// The highest priority first.
    classes: Vec<Class>,
    /// Nanoseconds a call may take.
    target: u64,
    /// By number. As many as have not asked yet: each of them is somebody's future.
    settled: BTreeMap<u64, Settled>,
    len: usize,
    capacity: usize,
    last: u64,
    /// How much each tenant was let in lately; empty until there is one. Weights grow instead of all shrinking.
    served: Box<[f32]>,
    weight: f32,
}

impl Queue {
    pub(super) fn new(capacity: usize, target: u64) -> Self {
        let (classes, settled) = (Vec::new(), BTreeMap::new());
        Self { classes, target, settled, len: 0, capacity, last: 0, served: Box::default(), weight: 1.0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// `calls` were let in without waiting.
    pub(super) fn passed(&mut self, calls: u32) {
        let kept = (1.0 - NEWEST).powi(calls.min(10_000) as i32);
        self.classes.iter_mut().for_each(|class| class.refused *= kept);
    }

    /// Somebody comes to wait until `until`. The number tells it apart; the waker is of somebody whom that puts out.
    pub(super) fn push(
        &mut self,
        priority: Priority,
        tenant: Option<u64>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<(u64, Option<Waker>), Reason> {
        let own = self.class(priority);
        let mut put_out = None;
        if self.len >= self.capacity {
            let least = self.classes.iter_mut().rev().find(|class| !class.waiters.is_empty());
            let Some(least) = least.filter(|least| least.priority <= priority) else {
                self.classes[own].refuse();
                return Err(Reason::QueueFull);
            };
            put_out = least.waiters.pop_front();
            least.refuse();
        }
        if let Some(waiter) = &put_out {
            self.len -= 1;
            self.settled.insert(waiter.who.number(), Settled::Refused(Reason::QueueFull));
        }
        if tenant.is_some() && self.served.is_empty() {
            self.served = vec![0.0; TENANTS].into();
        }
        self.last += 1;
        let waiter = Waiter { who: Who::new(self.last, tenant), since: now, until, waker: None };
        let line = &mut self.classes[own].waiters;
        if line.len() == line.capacity() {
            // Twice as many, but no more than may come: what is stated is all there is.
            line.reserve_exact(line.len().max(KEPT).min(self.capacity - self.len));
        }
        line.push_back(waiter);
        self.len += 1;
        Ok((self.last, put_out.and_then(|waiter| waiter.waker)))
    }

    /// The place of a priority; there are 256 at the most.
    fn class(&mut self, priority: Priority) -> usize {
        let place = self.classes.binary_search_by(|class| priority.cmp(&class.priority));
        place.unwrap_or_else(|place| {
            self.classes.insert(place, Class { priority, waiters: VecDeque::new(), refused: 0.0 });
            place
        })
    }

    /// Puts out whom it is too late for; `wake` takes their wakers.
    pub(super) fn expire(&mut self, now: Timestamp, wake: &mut Vec<Waker>) {
        for class in &mut self.classes {
            let (_, longest) = class.patience(self.target);
            let late = |waiter: &mut Waiter| waiter.until <= now || now.nanos_since(waiter.since) > longest;
            // Those who came first mostly go first; whose time is up earlier is found when its turn comes, or by itself.
            while let Some(waiter) = class.waiters.pop_front_if(late) {
                self.len -= 1;
                class.refuse();
                self.settled.insert(waiter.who.number(), Settled::Refused(Reason::QueueTimeout));
                wake.extend(waiter.waker);
            }
            if class.waiters.is_empty() {
                class.waiters.shrink_to(KEPT);
            }
        }
    }

    /// Bytes it may take while as many wait, of one priority, as may.
    pub(super) fn memory_footprint(&self) -> usize {
        self.capacity * size_of::<Waiter>() + size_of::<Class>() + TENANTS * size_of::<f32>()
    }

    /// Lets in whoever is next, at `level`. Returns whether there was anybody.
    pub(super) fn pop(&mut self, now: Timestamp, level: u8, wake: &mut Vec<Waker>) -> bool {
        while let Some(class) = self.classes.iter().position(|class| !class.waiters.is_empty())
            && let Some(waiter) = self.next(class, now)
        {
            self.len -= 1;
            let in_time = waiter.until > now;
            if in_time {
                self.classes[class].let_in();
                self.serve(waiter.who.tenant());
                self.settled.insert(waiter.who.number(), Settled::In(level));
            } else {
                self.classes[class].refuse();
                self.settled.insert(waiter.who.number(), Settled::Refused(Reason::QueueTimeout));
            }
            wake.extend(waiter.waker);
            if in_time {
                return true;
            }
        }
        false
    }

    fn next(&mut self, class: usize, now: Timestamp) -> Option<Waiter> {
        let (served, class) = (&self.served, &mut self.classes[class]);
        let (patience, _) = class.patience(self.target);
        let waiters = &mut class.waiters;
        let last_first = waiters.front().is_some_and(|waiter| now.nanos_since(waiter.since) > patience);
        if served.is_empty() {
            return if last_first { waiters.pop_back() } else { waiters.pop_front() };
        }
        let of = |waiter: &Waiter| waiter.who.tenant().map_or(0.0, |tenant| served[tenant as usize % TENANTS]);
        let by_share = |(_, a): &(usize, &Waiter), (_, b): &(usize, &Waiter)| of(a).total_cmp(&of(b));
        let waiting = waiters.iter().enumerate();
        // Of equals `min_by` takes the first.
        let next = if last_first { waiting.rev().min_by(by_share) } else { waiting.min_by(by_share) };
        let next = next.map(|(place, _)| place)?;
        waiters.remove(next)
    }

    /// A tenant's call was let in.
    pub(super) fn serve(&mut self, tenant: Option<u64>) {
        let Some(tenant) = tenant.filter(|_| !self.served.is_empty()) else { return };
        self.weight *= 1.0 + std::f32::consts::LN_2 / HALVED;
        if self.weight > 1e12 {
            let by = self.weight;
            self.served.iter_mut().for_each(|served| *served /= by);
            self.weight = 1.0;
        }
        self.served[tenant as usize % TENANTS] += self.weight;
    }

    /// What became of `number`; or nothing yet, and `waker` is kept to be woken, the one before it given back.
    pub(super) fn ask(
        &mut self,
        number: u64,
        priority: Priority,
        now: Timestamp,
        waker: &mut Option<Waker>,
    ) -> Option<Settled> {
        if let Some(settled) = self.settled.remove(&number) {
            return Some(settled);
        }
        let (class, place) = self.find(number, priority)?;
        let class = &mut self.classes[class];
        let waiter = &mut class.waiters[place];
        std::mem::swap(&mut waiter.waker, waker);
        if waiter.until > now {
            return None;
        }
        class.waiters.remove(place);
        class.refuse();
        self.len -= 1;
        Some(Settled::Refused(Reason::QueueTimeout))
    }

    /// `number` waits no longer. If it was let in without knowing, it gives that back; else its waker.
    pub(super) fn leave(&mut self, number: u64, priority: Priority) -> (Option<Settled>, Option<Waker>) {
        if let Some((class, place)) = self.find(number, priority) {
            let waiter = self.classes[class].waiters.remove(place);
            self.len -= 1;
            return (None, waiter.and_then(|waiter| waiter.waker));
        }
        (self.settled.remove(&number), None)
    }

    fn find(&self, number: u64, priority: Priority) -> Option<(usize, usize)> {
        let class = self.classes.binary_search_by(|class| priority.cmp(&class.priority)).ok()?;
        let place = self.classes[class].waiters.binary_search_by_key(&number, |waiter| waiter.who.number()).ok()?;
        Some((class, place))
    }
}
