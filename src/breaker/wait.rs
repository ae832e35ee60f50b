//! Those who wait for a breaker to change: services whose inner service is not ready yet.

use crate::sync::Mutex;
use std::collections::BTreeMap;
use std::task::Waker;

/// The wakers, by their number, and the last number given out.
#[derive(Debug)]
pub(crate) struct Waiters(Mutex<(BTreeMap<u64, Waker>, u64)>);

/// Somebody's place among those who wait; given back when dropped.
#[derive(Debug)]
#[cfg(feature = "tower")]
pub(crate) struct Wait {
    waiters: &'static Waiters,
    number: u64,
}

impl Waiters {
    pub(super) fn new() -> Self {
        Self(Mutex::new((BTreeMap::new(), 0)))
    }

    /// Registers `waker`, in the place of the one that `wait` stood for.
    #[cfg(feature = "tower")]
    pub(super) fn register(&'static self, wait: &mut Option<Wait>, waker: &Waker) {
        // Wakers are cloned and dropped with no lock held: theirs is foreign code.
        let waker = waker.clone();
        let mut wakers = self.0.lock();
        let number = match wait {
            Some(wait) => wait.number,
            None => {
                wakers.1 += 1;
                *wait = Some(Wait { waiters: self, number: wakers.1 });
                wakers.1
            }
        };
        let old = wakers.0.insert(number, waker);
        drop(wakers);
        drop(old);
    }

    /// Wakes everybody.
    pub(super) fn wake(&self) {
        let wakers = std::mem::take(&mut self.0.lock().0);
        wakers.into_values().for_each(Waker::wake);
    }
}

#[cfg(feature = "tower")]
impl Drop for Wait {
    fn drop(&mut self) {
        let waker = self.waiters.0.lock().0.remove(&self.number);
        drop(waker);
    }
}
