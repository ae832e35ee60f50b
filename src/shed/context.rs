//! What a call brings along: how much it matters, until when its answer is of use, and whose it is.

use super::Priority;
use crate::time::{Timestamp, nanos};
use std::cell::Cell;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU64;
use std::sync::OnceLock;
use std::time::Duration;

/// What a call brings along, for the guards that it passes: its priority, its deadline, and its tenant.
///
/// A layer takes it from the request, and it travels on: every guard that is asked while the guarded call is being polled
/// sees it, so the calls that a handler makes in turn are as important as what they are made for, and end by the same
/// deadline. What a handler spawns is on its own, unless it is told ([`scope`](Self::scope)).
///
/// ```
/// use plimsoll::{CallContext, Priority};
/// use std::time::Duration;
///
/// let context = CallContext::new().priority(Priority::CRITICAL).within(Duration::from_millis(200)).tenant(&"acme");
/// assert_eq!(context.sync_scope(CallContext::current).importance(), Priority::CRITICAL);
/// assert_eq!(CallContext::current(), CallContext::new());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallContext {
    tenant: Option<NonZeroU64>,
    /// In nanoseconds.
    due: u64,
    deadline: Deadline,
    priority: Priority,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Deadline {
    #[default]
    None,
    In,
    At,
}

thread_local! {
    static CURRENT: Cell<Option<CallContext>> = const { Cell::new(None) };
}

impl CallContext {
    /// Of default priority, without deadline or tenant.
    pub const fn new() -> Self {
        Self { priority: Priority::DEFAULT, tenant: None, due: 0, deadline: Deadline::None }
    }

    /// How much it matters.
    #[must_use]
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Whose it is: among calls of one priority that wait, each tenant gets its share.
    ///
    /// Tenants are told apart by 256 numbers; two of them may share one, and so a share.
    #[must_use]
    pub fn tenant(mut self, tenant: &(impl Hash + ?Sized)) -> Self {
        static HASHER: OnceLock<RandomState> = OnceLock::new();
        self.tenant = NonZeroU64::new(HASHER.get_or_init(RandomState::new).hash_one(tenant));
        self
    }

    /// Its answer is of no use later than so long after the first guard has seen it.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        (self.due, self.deadline) = (nanos(timeout), Deadline::In);
        self
    }

    /// Its answer is of no use later than that, on the clock of the registry ([`Plimsoll::clock`](crate::Plimsoll::clock)).
    #[must_use]
    pub const fn deadline(mut self, deadline: Timestamp) -> Self {
        (self.due, self.deadline) = (deadline.as_nanos(), Deadline::At);
        self
    }

    /// The priority it has.
    pub const fn importance(&self) -> Priority {
        self.priority
    }

    /// That of the call that is being polled on this thread; a new one, if there is none.
    pub fn current() -> Self {
        CURRENT.get().unwrap_or_default()
    }

    /// Calls `call` with this as the [current](Self::current) one.
    pub fn sync_scope<T>(self, call: impl FnOnce() -> T) -> T {
        let _entered = Entered(CURRENT.replace(Some(self)));
        call()
    }

    /// A future that is polled with this as the [current](Self::current) one: for what is spawned on behalf of a call.
    ///
    /// ```
    /// # use plimsoll::CallContext;
    /// # async fn warm_the_cache() {}
    /// # async fn handler() {
    /// tokio::spawn(CallContext::current().scope(warm_the_cache()));
    /// # }
    /// ```
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        let mut future = std::pin::pin!(future);
        std::future::poll_fn(|cx| self.sync_scope(|| future.as_mut().poll(cx))).await
    }

    /// Whether a call that is being polled on this thread has one.
    #[inline]
    pub(crate) fn is_present() -> bool {
        CURRENT.get().is_some()
    }

    pub(crate) fn whose(&self) -> Option<u64> {
        self.tenant.map(NonZeroU64::get)
    }

    /// The same, its deadline a point in time: seen by a guard at `now`.
    pub(crate) fn seen_at(self, now: Timestamp) -> Self {
        match self.deadline {
            Deadline::In => self.deadline(now.after(Duration::from_nanos(self.due))),
            _ => self,
        }
    }

    /// When its deadline is, once a guard has seen it.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        (self.deadline == Deadline::At).then(|| Timestamp::from_nanos(self.due))
    }

    /// The tighter deadline of the two, and otherwise this: nobody outlives whom it works for.
    #[must_use]
    #[cfg(feature = "tower")]
    pub(crate) fn under(self, outer: Option<Timestamp>) -> Self {
        let tighter = self.due().into_iter().chain(outer).min();
        tighter.map_or(self, |due| self.deadline(due))
    }
}

/// The context that was current before; it is again when this is dropped.
struct Entered(Option<CallContext>);

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}
