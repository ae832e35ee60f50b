//! Which shard a thread owns.
//!
//! A slot belongs to one live thread at a time, process-wide, so that the thread may count in its shard of *every*
//! recorder with plain loads and stores. Slots are few (memory is fixed at declaration); threads beyond them, and
//! threads that are being torn down, share the last shard with read-modify-writes. No count is lost either way.

use std::sync::{Mutex, OnceLock, PoisonError};

/// How many slots have an owner: twice the cores, so that the workers of a runtime fit beside a few other threads.
pub(crate) fn owned() -> usize {
    pool().owned
}

/// The calling thread's slot: below [`owned`] if it is the thread's own, equal to it if it is shared.
#[inline]
pub(crate) fn current() -> usize {
    // `try_with` fails only while the thread's locals are being destroyed.
    SLOT.try_with(|slot| slot.0).unwrap_or_else(|_| owned())
}

struct Pool {
    owned: usize,
    // The lock hands a slot from the thread that ended to the next with everything it had counted there.
    free: Mutex<Vec<usize>>,
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let owned = (2 * cores).clamp(4, 256);
        Pool { owned, free: Mutex::new((0..owned).rev().collect()) }
    })
}

struct Slot(usize);

impl Slot {
    fn claim() -> Self {
        let pool = pool();
        let free = pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self(free.unwrap_or(pool.owned))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let pool = pool();
        if self.0 < pool.owned {
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        }
    }
}

thread_local! {
    static SLOT: Slot = Slot::claim();
}
