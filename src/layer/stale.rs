//! Stale answers: the last good one by key, not too old and not too many.

use super::fallback::{Fallback, sealed};
use crate::breaker::Rejection;
use crate::error::Error;
use crate::guard::GuardBuilder;
use crate::time::{Clock, Timestamp};
use lru::LruCache;
use parking_lot::Mutex;
use std::fmt;
use std::future::{Pending, Ready, ready};
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// How to keep the last good answers: see [`GuardBuilder::stale`].
///
/// ```
/// use plimsoll::Stale;
/// use std::time::Duration;
///
/// let stale = Stale::new(|request: &(u32, String)| request.0).max_age(Duration::from_secs(60)).capacity(10_000);
/// # let _: Stale<_, _, String, _> = stale;
/// ```
#[must_use = "give it to `.stale(…)`"]
pub struct Stale<KeyOf, K, Res, Req> {
    key_of: KeyOf,
    max_age: Duration,
    capacity: usize,
    types: PhantomData<fn(Req) -> (K, Res)>,
}

impl<KeyOf, K, Res, Req> Stale<KeyOf, K, Res, Req>
where
    KeyOf: Fn(&Req) -> K,
{
    /// Answers by the key that `key_of` makes of a request; at most 1,024 of them, none older than five minutes.
    pub fn new(key_of: KeyOf) -> Self {
        Self { key_of, max_age: Duration::from_secs(300), capacity: 1_024, types: PhantomData }
    }

    /// How old an answer may be: up to and including `age`, more than zero.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// How many answers are kept, at least 1; beyond that the one that was not used for the longest time goes.
    pub fn capacity(mut self, n: usize) -> Self {
        self.capacity = n;
        self
    }
}

impl<KeyOf, K, Res, Req> fmt::Debug for Stale<KeyOf, K, Res, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stale")
            .field("max_age", &self.max_age)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// The last good answers, made by [`GuardBuilder::stale`]. Clones share them.
pub struct StaleAnswers<KeyOf, K, Res> {
    key_of: KeyOf,
    answers: Arc<Answers<K, Res>>,
}

impl<KeyOf: Clone, K, Res> Clone for StaleAnswers<KeyOf, K, Res> {
    fn clone(&self) -> Self {
        Self { key_of: self.key_of.clone(), answers: Arc::clone(&self.answers) }
    }
}

impl<KeyOf, K, Res> fmt::Debug for StaleAnswers<KeyOf, K, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answers.fmt(f)
    }
}

/// What is kept, behind one lock.
pub struct Answers<K, Res> {
    clock: Clock,
    max_age: Duration,
    capacity: usize,
    kept: Mutex<LruCache<K, (Timestamp, Res)>>,
}

impl<K, Res> fmt::Debug for Answers<K, Res> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaleAnswers")
            .field("max_age", &self.max_age)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, Res: Clone> Answers<K, Res> {
    pub(super) fn fresh(&self, key: &K) -> Option<Res> {
        let now = self.clock.now();
        let mut kept = self.kept.lock();
        let (at, response) = kept.get(key)?;
        if now.since(*at) <= self.max_age {
            return Some(response.clone());
        }
        let old = kept.pop(key);
        drop(kept);
        drop(old);
        None
    }

    fn put(&self, key: K, response: Res) {
        let now = self.clock.now();
        let mut kept = self.kept.lock();
        let old = kept.push(key, (now, response));
        let most = if kept.len() > self.capacity { kept.pop_lru() } else { None };
        // What is dropped is foreign code: not under the lock.
        drop(kept);
        drop((old, most));
    }
}

impl<KeyOf, K, Res> sealed::Sealed for StaleAnswers<KeyOf, K, Res> {
    fn check(&self) -> Result<(), Error> {
        let Answers { max_age, capacity, .. } = &*self.answers;
        if *capacity == 0 {
            return Err(Error::invalid("stale answers with a capacity of 0: write at least 1, such as 1024"));
        }
        if max_age.is_zero() {
            return Err(Error::invalid("stale answers with a max_age of 0: write more, such as 60 s"));
        }
        Ok(())
    }
}

impl<Req, Res, K, KeyOf> Fallback<Req, Res> for StaleAnswers<KeyOf, K, Res>
where
    K: Hash + Eq,
    KeyOf: Fn(&Req) -> K,
    Res: Clone,
{
    const ON_REFUSAL: bool = true;
    const ON_FAILURE: bool = false;
    const WAITS: bool = false;
    type Kept = (Arc<Answers<K, Res>>, K);
    type Refused = Ready<Option<Res>>;
    type Failed<T> = Pending<Result<Res, T>>;

    fn keep(&self, request: &Req) -> Self::Kept {
        (Arc::clone(&self.answers), (self.key_of)(request))
    }

    fn refused(&self, request: Req, _: Rejection) -> Self::Refused {
        ready(self.answers.fresh(&(self.key_of)(&request)))
    }

    fn succeeded((answers, key): Self::Kept, response: &Res) {
        answers.put(key, response.clone());
    }

    fn failed<T>(_: Self::Kept, _: Rejection, _: T) -> Self::Failed<T> {
        std::future::pending()
    }
}

impl<F> GuardBuilder<F> {
    /// Answers refused calls with the last good answer to a request with the same key, if there is one that is not too
    /// old; such calls count as degraded.
    ///
    /// Every success then pays for one short lock and one clone of its answer. An HTTP body that streams cannot be
    /// cloned: keep what it was made of, in a service further in.
    ///
    /// ```
    /// # use plimsoll::{Breaker, Plimsoll, Slo, Stale};
    /// # use std::time::Duration;
    /// # use tower::{Layer, Service, ServiceExt, service_fn};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let plimsoll = Plimsoll::new();
    /// # let prices = plimsoll.declare(Slo::new("prices").success(99.9))?;
    /// let layer = prices
    ///     .guard()
    ///     .breaker(Breaker::default())
    ///     .stale(Stale::new(|item: &u32| *item).max_age(Duration::from_secs(60)).capacity(1_000))
    ///     .also_on_failure()
    ///     .layer()?;
    /// let service = layer.layer(service_fn(|item: u32| async move { Ok::<_, std::io::Error>(item * 2) }));
    /// assert_eq!(service.clone().oneshot(3).await?, 6);
    /// layer.guard().force_open();
    /// assert_eq!(service.clone().oneshot(3).await?, 6);
    /// assert!(service.oneshot(4).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn stale<KeyOf, K, Res, Req>(
        self,
        stale: Stale<KeyOf, K, Res, Req>,
    ) -> GuardBuilder<StaleAnswers<KeyOf, K, Res>>
    where
        K: Hash + Eq,
    {
        let Stale { key_of, max_age, capacity, .. } = stale;
        self.map_fallback(|_, clock| StaleAnswers {
            key_of,
            // Not sized beforehand: a capacity is a bound, not a wish.
            answers: Arc::new(Answers {
                clock: clock.clone(),
                max_age,
                capacity,
                kept: Mutex::new(LruCache::unbounded()),
            }),
        })
    }
}
