//! Atomics and locks: the standard library's and `parking_lot`'s, or loom's under `cfg(plimsoll_loom)`.
//!
//! The flag has the crate's name in it because a bare `cfg(loom)` would also rebuild tokio and its friends.

#[cfg(not(plimsoll_loom))]
mod real {
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence};
}

#[cfg(plimsoll_loom)]
mod real {
    use loom::sync::MutexGuard;
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering, fence};

    /// loom's mutex with `parking_lot`'s face: no poisoning, `try_lock` gives an option.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }
}

pub(crate) use real::*;
