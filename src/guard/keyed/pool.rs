//! Who has which core.
//!
//! A key is found under a read lock on one shard of a map, and its core is *pinned* there: a call is counted in. A key
//! is put out under the write lock of its shard, if no call is counted in. So a core that is put out has no call under
//! way, and none can begin. Nothing foreign is called with a lock held but the key's comparison.

use super::Key;
use super::cores::{Pin, Shared, Slot, label};
use crate::events::EventKind;
use crate::time::{Clock, Ticks, Timestamp};
use crossbeam_utils::CachePadded;
use parking_lot::{Mutex, RwLock};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Shards of the map: more than there are cores in most machines.
const SHARDS: usize = 64;
/// How long a moment is, in ticks of the clock and a power of two: some 20 to 70 ms. Idleness is told in moments, so that
/// a busy key writes it down rarely.
const MOMENT: u32 = 26;
const NO_MOMENT: u64 = u64::MAX;
/// Evictions are told at most so often.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// How often to look for another idle key, if the one found was taken up at that very moment.
const TRIES: usize = 4;

/// By the hash of the key. If two keys have the same one, the later shares a core with those that found no room.
type Shard<K> = HashMap<u64, (K, &'static Slot), BuildHasherDefault<Hashed>>;

pub(super) struct Pool<K> {
    shared: &'static Shared,
    capacity: usize,
    hasher: RandomState,
    shards: Box<[CachePadded<RwLock<Shard<K>>>]>,
    /// The moment in which each core was last used.
    used: Box<[AtomicU64]>,
    /// For keys that found no room.
    others: &'static Slot,
    /// The moment in which every key had calls under way.
    full_at: AtomicU64,
    evicted: AtomicU64,
    overflowed: AtomicU64,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    slots: Vec<&'static Slot>,
    /// The hash of the key that has each of them.
    hashes: Vec<u64>,
    /// Evictions that nobody has been told of, and the last of them.
    untold: u64,
    last: String,
    told_at: Option<Timestamp>,
}

impl<K: Key> Pool<K> {
    pub(super) fn new(shared: &'static Shared, capacity: usize) -> Self {
        Self {
            shared,
            capacity,
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| CachePadded::new(RwLock::default())).collect(),
            used: (0..capacity).map(|_| AtomicU64::new(0)).collect(),
            others: shared.make(usize::MAX, "(others)".to_owned()),
            full_at: AtomicU64::new(NO_MOMENT),
            evicted: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
            books: Mutex::default(),
        }
    }

    pub(super) fn shared(&self) -> &'static Shared {
        self.shared
    }

    pub(super) fn clock(&self) -> &'static Clock {
        &self.shared.meter.hub.clock
    }

    /// The core of a key, with a call counted in.
    #[inline]
    pub(super) fn pin<Q>(&self, key: &Q, ticks: Ticks) -> Pin
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (hash, moment) = (self.hasher.hash_one(key), ticks.raw() >> MOMENT);
        if let Some((known, slot)) = self.shard(hash).read().get(&hash)
            && known.borrow() == key
        {
            self.touch(slot, moment);
            // Under the lock, which is held to the end of this block: who would put the key out waits for it, and sees
            // the call.
            return slot.pin();
        }
        self.pin_unknown(key, hash, moment)
    }

    #[cold]
    fn pin_unknown<Q>(&self, key: &Q, hash: u64, moment: u64) -> Pin
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        // Whoever finds no room once need not look again at once: that is as long as there are cores.
        if self.full_at.load(Ordering::Relaxed) == moment {
            return self.overflow();
        }
        let owned = key.to_owned();
        let label = label(&owned);
        let mut books = self.books.lock();
        // Another thread may have taken it in.
        if let Some((known, slot)) = self.shard(hash).read().get(&hash) {
            return if known.borrow() == key { slot.pin() } else { self.overflow() };
        }
        let (slot, forgotten) = if books.slots.len() < self.capacity {
            let slot = self.shared.make(books.slots.len(), label);
            books.slots.push(slot);
            books.hashes.push(hash);
            (slot, None)
        } else {
            let Some((slot, key)) = self.evict(&books, moment) else {
                self.full_at.store(moment, Ordering::Relaxed);
                return self.overflow();
            };
            books.last = self.shared.hand_over(slot, label);
            books.hashes[slot.index] = hash;
            books.untold += 1;
            self.evicted.fetch_add(1, Ordering::Relaxed);
            (slot, Some(key))
        };
        self.touch(slot, moment);
        let mut shard = self.shard(hash).write();
        shard.insert(hash, (owned, slot));
        let pin = slot.pin();
        drop(shard);
        drop(books);
        if forgotten.is_some() {
            self.tell(self.clock().now());
        }
        pin
    }

    fn overflow(&self) -> Pin {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        self.others.pin()
    }

    /// Puts out the key that has been idle for longest, if any is idle.
    fn evict(&self, books: &Books, moment: u64) -> Option<(&'static Slot, K)> {
        for _ in 0..TRIES {
            let mut longest: Option<(u64, &'static Slot)> = None;
            for (slot, used) in books.slots.iter().zip(&self.used) {
                let used = used.load(Ordering::Relaxed);
                // Whether it is idle is asked last, and rarely: that is on other cache lines.
                if longest.is_none_or(|(least, _)| used < least) && slot.is_idle() {
                    longest = Some((used, slot));
                }
            }
            let (_, slot) = longest?;
            let hash = books.hashes[slot.index];
            let mut shard = self.shard(hash).write();
            if slot.is_idle() {
                return shard.remove(&hash).map(|(key, slot)| (slot, key));
            }
            self.touch(slot, moment);
        }
        None
    }

    #[inline]
    fn touch(&self, slot: &Slot, moment: u64) {
        if let Some(used) = self.used.get(slot.index)
            && used.load(Ordering::Relaxed) != moment
        {
            used.store(moment, Ordering::Relaxed);
        }
    }

    #[inline]
    fn shard(&self, hash: u64) -> &RwLock<Shard<K>> {
        // Bits that the map inside does not go by: it takes the lowest and the highest.
        &self.shards[(hash >> 40) as usize % SHARDS]
    }

    /// The core of a key, if it is held.
    pub(super) fn find<Q>(&self, key: &Q) -> Option<&'static Slot>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(hash).read();
        shard.get(&hash).filter(|(known, _)| known.borrow() == key).map(|(_, slot)| *slot)
    }

    /// Tells what was forgotten, unless something was told just now.
    pub(super) fn tell(&self, now: Timestamp) {
        let mut books = self.books.lock();
        if books.untold == 0 || books.told_at.is_some_and(|at| now.since(at) < TOLD_EVERY) {
            return;
        }
        books.told_at = Some(now);
        let (key, keys) = (std::mem::take(&mut books.last), std::mem::take(&mut books.untold));
        drop(books);
        self.shared.meter.hub.events.emit(now, EventKind::Evicted { guard: self.shared.name, key, keys });
    }

    /// Every core that has a key.
    pub(super) fn slots(&self) -> Vec<&'static Slot> {
        self.books.lock().slots.clone()
    }

    /// The core that keys share which found no room.
    pub(super) fn others(&self) -> &'static Slot {
        self.others
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.slots().iter().chain([&self.others]).map(|slot| slot.core.recorder.in_flight()).sum()
    }

    pub(super) fn len(&self) -> usize {
        self.books.lock().slots.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    pub(super) fn memory_footprint(&self) -> usize {
        // A map is filled to 7/8 at most, and to 7/16 after it grew; its shards are not evenly filled.
        let entry = 4 * (size_of::<(u64, (K, &Slot))>() + 1);
        let shards = SHARDS * size_of::<CachePadded<RwLock<Shard<K>>>>();
        size_of::<Self>() + shards + self.shared.bytes(self.capacity + 1) + self.capacity * entry
    }
}

/// Takes a hash for what it is.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Never asked for: keys of the map are `u64`.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
