//! A guard per key: each key has a breaker of its own, and all of them count towards one SLO.
//!
//! [`pool`] finds a key's core and makes room for new keys, [`cores`] makes cores, [`view`] is what the showing rooms
//! see of it.

mod cores;
mod pool;
mod view;

pub(crate) use view::{KeyedShown, KeyedView};

use super::{GuardBuilder, GuardError, Permit};
use crate::breaker::{Rejection, State};
use crate::error::Error;
use crate::outcome::{Classify, Outcome, ResultClassifier};
use cores::Shared;
use pool::Pool;
use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;

/// How many keys one guard may be asked to hold at once.
const MOST: usize = 100_000;
/// Bytes that one key may take.
const KEY_BYTES: usize = 16 * 1_024;

/// What can be a key: a tenant, a route, an endpoint. Everything that has these traits is one.
pub trait Key: Hash + Eq + Clone + fmt::Display + Send + Sync + 'static {}

impl<K: Hash + Eq + Clone + fmt::Display + Send + Sync + 'static> Key for K {}

/// A guard per key: each key has a breaker and a number of calls under way of its own, so that one tenant's outage
/// refuses no other tenant's calls. A handle: copies are the same guard.
///
/// It holds at most [`capacity`](Self::capacity) keys. A key is met for the first time by a call; if there is no room
/// then, the key that has been idle for longest is forgotten, which is counted and told as an event. A key with calls
/// under way is never forgotten: where all have some, a new key shares one breaker with all others that found no room,
/// until there is (looked for about ten times a second). A key that comes back starts closed.
///
/// A call costs about twice what one through a [`Guard`](super::Guard) does: the key is hashed, its core is looked up under a
/// read lock that it shares with one key in 64, and its own counters take a few read-modify-writes. So calls with one and
/// the same key on many cores at once wait for each other's cache lines, which a plain guard's do not; calls with different
/// keys hardly do. A key that is new costs a lock, and a look at when each of the others was last used.
///
/// ```
/// # use plimsoll::{Breaker, Plimsoll, Slo, State};
/// # let plimsoll = Plimsoll::new();
/// let payments = plimsoll.declare(Slo::new("payments").success(99.9))?;
/// let tenants = payments.guard().breaker(Breaker::default()).keyed::<String>(1_000)?;
/// for _ in 0..20 {
///     tenants.admit("acme")?.failure();
/// }
/// assert!(tenants.admit("acme").is_err());
/// assert_eq!(tenants.call("globex", || Ok::<_, std::io::Error>("paid"))?, "paid");
/// assert_eq!((tenants.state("acme"), tenants.state("globex")), (Some(State::Open), Some(State::Closed)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedGuard<K: 'static> {
    pool: &'static Pool<K>,
}

impl GuardBuilder {
    /// Makes a guard per key, for at most `capacity` (1 to 100,000) keys at once. Keys take their memory when they are
    /// first met, at most 16 KiB each, and it is used again for other keys: see [`KeyedGuard::memory_footprint`].
    ///
    /// It needs a [`breaker`](Self::breaker), and every key gets one like it; it has no limiter and no fallback. Name labels
    /// that have many values, but not one per request.
    ///
    /// # Errors
    ///
    /// An [`Error`] that says what to write instead, if the name is taken, the breaker cannot work or takes over 16 KiB,
    /// or the capacity is out of range.
    pub fn keyed<K: Key>(self, capacity: usize) -> Result<KeyedGuard<K>, Error> {
        let (meter, name, breaker) = self.into_keyed()?;
        let refuse = |what: String| Err(Error::invalid(format!("keyed guard {name:?}: {what}")));
        if capacity == 0 || capacity > MOST {
            return refuse(format!("room for {capacity} keys; write 1 to {MOST}"));
        }
        let Some(breaker) = breaker else {
            return refuse(
                "it has no breaker, so its keys would have nothing of their own; write `.breaker(Breaker::default())`, \
                 or `.build()` for one guard without keys"
                    .into(),
            );
        };
        let bytes = Shared::bytes_of_a_key(meter, &breaker);
        if bytes > KEY_BYTES {
            return refuse(format!(
                "a key would take {bytes} bytes, and may take {KEY_BYTES}; write fewer probes, a longer age_in_flight, \
                 or leave slo_burn out"
            ));
        }
        let add = |name: &str| {
            let name: &'static str = String::leak(name.to_owned());
            let pool: &'static Pool<K> = Box::leak(Box::new(Pool::new(Shared::new(name, meter, breaker), capacity)));
            pool
        };
        let pool = meter.hub.add_keyed(&name, || add(&name))?;
        Ok(KeyedGuard { pool })
    }
}

impl<K: Key> KeyedGuard<K> {
    /// Its name: the SLO's, unless it was given one.
    pub fn name(&self) -> &'static str {
        self.pool.shared().name
    }

    /// The SLO that all keys count towards.
    pub fn slo(&self) -> &'static str {
        self.pool.shared().meter.name
    }

    /// Asks for permission for one call with `key`. A key that is not held is taken in.
    ///
    /// # Errors
    ///
    /// The [`Rejection`] says why not, and when to come back. It is counted.
    pub fn admit<Q>(&self, key: &Q) -> Result<Permit, Rejection>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let ticks = self.pool.clock().ticks();
        self.pool.pin(key, ticks).admit(ticks)
    }

    /// Awaits `call` if the guard lets a call with `key` through. `Ok` is a success, `Err` a failure; dropping this
    /// future counts as abandoned.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub async fn run<Q, T, E>(&self, key: &Q, call: impl Future<Output = Result<T, E>>) -> Result<T, GuardError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let permit = self.admit(key)?;
        let result = call.await;
        permit.finish(ResultClassifier.classify(result.as_ref()));
        result.map_err(GuardError::Inner)
    }

    /// Calls `call` if the guard lets a call with `key` through, on this thread.
    ///
    /// # Errors
    ///
    /// The refusal, or the call's own error.
    pub fn call<Q, T, E>(&self, key: &Q, call: impl FnOnce() -> Result<T, E>) -> Result<T, GuardError<E>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let permit = self.admit(key)?;
        let result = call();
        permit.finish(ResultClassifier.classify(result.as_ref()));
        result.map_err(GuardError::Inner)
    }

    /// The state of a key's breaker; none if the key is not held.
    pub fn state<Q>(&self, key: &Q) -> Option<State>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.pool.find(key).map(|slot| slot.state(self.pool.clock().now()))
    }

    /// In words: the state of a key's breaker, and what it saw when it last decided.
    pub fn explain<Q>(&self, key: &Q) -> String
    where
        K: Borrow<Q>,
        Q: Hash + Eq + fmt::Display + ?Sized,
    {
        let now = self.pool.clock().now();
        match self.pool.find(key) {
            Some(slot) => slot.explain(&format!("{}/{key}", self.name()), now),
            None => format!("guard {} does not hold the key {key}: its next call starts closed", self.name()),
        }
    }

    /// Calls under way with a key; none if the key is not held.
    pub fn in_flight_of<Q>(&self, key: &Q) -> Option<u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.pool.find(key).map(|slot| slot.core.recorder.in_flight())
    }

    /// Calls under way, with all keys.
    pub fn in_flight(&self) -> u64 {
        self.pool.in_flight()
    }

    /// How many calls ended how, with all keys there ever were.
    pub fn outcomes(&self) -> impl Iterator<Item = (Outcome, u64)> + use<K> {
        Outcome::ALL.into_iter().zip(self.pool.shared().sli.outcomes())
    }

    /// How many keys it holds.
    pub fn len(&self) -> usize {
        self.pool.len()
    }

    /// Whether it has met no key yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys it can hold.
    pub fn capacity(&self) -> usize {
        self.pool.capacity()
    }

    /// How many keys it forgot to make room for others.
    pub fn evicted(&self) -> u64 {
        self.pool.evicted()
    }

    /// How many calls found no room for their key and shared one breaker. If this grows, it needs more capacity.
    pub fn overflowed(&self) -> u64 {
        self.pool.overflowed()
    }

    /// Bytes it takes at most, however many keys come by; what the keys themselves own is not counted.
    pub fn memory_footprint(&self) -> usize {
        self.pool.memory_footprint()
    }
}

impl<K: 'static> Clone for KeyedGuard<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: 'static> Copy for KeyedGuard<K> {}

impl<K: Key> fmt::Debug for KeyedGuard<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keyed = &mut f.debug_struct("KeyedGuard");
        keyed.field("name", &self.name()).field("slo", &self.slo()).field("len", &self.len()).finish_non_exhaustive()
    }
}
