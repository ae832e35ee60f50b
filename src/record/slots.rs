//! Which shard a thread owns.
//!
//! A slot belongs to one live thread at a time, process-wide, so that the thread may count in its shard of *every*
//! recorder with plain loads and stores. Slots are few (memory is fixed at declaration); threads beyond them, and
//! threads that are being torn down, share the last shard with read-modify-writes. No count is lost either way.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A thread that has not asked yet.
const UNASKED: usize = usize::MAX;

thread_local! {
    // Constant and without a destructor: reading it is one load, at any time of a thread's life.
    static SLOT: Cell<usize> = const { Cell::new(UNASKED) };
    static LEASE: Lease = const { Lease };
}

/// How many slots have an owner: twice the cores, so that the workers of a runtime fit beside a few other threads.
pub(crate) fn owned() -> usize {
    pool().owned
}

/// How many slots have ever had an owner: nothing was counted in those after them. They are handed out from the first on,
/// so these are as many as there were threads that count at once.
pub(crate) fn claimed() -> usize {
    // Models name their slots themselves.
    if cfg!(plimsoll_loom) { usize::MAX } else { CLAIMED.load(Ordering::SeqCst) }
}

/// Whether any thread ever counted without a slot of its own.
pub(super) fn shared() -> bool {
    SHARED.load(Ordering::Relaxed)
}

/// Relaxed: whoever is told of a count is told of what its thread stored before.
static SHARED: AtomicBool = AtomicBool::new(false);

/// SeqCst: who gives a place back in a slot of his own, and then sees nobody wait for one, is seen by whoever comes to wait
/// (`shed::Limiter`). For counts less would do: to whom nobody told of one, it is as if the thread had begun a moment later.
static CLAIMED: AtomicUsize = AtomicUsize::new(0);

/// The calling thread's slot: below [`owned`] if it is the thread's own, equal to it if it is shared.
#[inline]
pub(crate) fn current() -> usize {
    let slot = SLOT.get();
    if slot == UNASKED { claim() } else { slot }
}

/// The same, if the thread has asked before; else a number that is no slot's.
#[inline]
pub(crate) fn known() -> usize {
    SLOT.get()
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

#[cold]
fn claim() -> usize {
    let pool = pool();
    // Registers the lease's destructor; it fails while the thread is being torn down, and then nobody would give back.
    let slot = if LEASE.try_with(|_| ()).is_ok() {
        pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    } else {
        None
    };
    match slot {
        Some(slot) => _ = CLAIMED.fetch_max(slot + 1, Ordering::SeqCst),
        None => SHARED.store(true, Ordering::Relaxed),
    }
    let slot = slot.unwrap_or(pool.owned);
    SLOT.set(slot);
    slot
}

/// Gives the slot back when its thread ends.
struct Lease;

impl Drop for Lease {
    fn drop(&mut self) {
        let pool = pool();
        // Destructors that run after this one ask again, get none, and count in the shared shard.
        let slot = SLOT.replace(UNASKED);
        if slot < pool.owned {
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        }
    }
}
