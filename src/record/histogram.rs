//! The shape of the latency histogram: log-linear, 16 buckets to a power of two.
//!
//! A bucket is at most 1/16 of its lower bound wide, so its middle is within 3.1 % of every value in it from 1 µs up
//! to 68 s; below 1 µs it is 64 ns wide. Source: the HdrHistogram layout.

const SUB_BITS: u32 = 4;
const SUB: usize = 1 << SUB_BITS;
/// Below 2^10 ns buckets are linear, 64 ns each.
const LINEAR_BITS: u32 = 10;
/// Models try every interleaving, so they can do with few words.
const TOP_BITS: u32 = if cfg!(plimsoll_loom) { LINEAR_BITS + 1 } else { 36 };

/// How many buckets there are.
pub(crate) const BUCKETS: usize = SUB + (TOP_BITS - LINEAR_BITS) as usize * SUB;

/// The bucket of a latency.
#[inline]
pub(crate) const fn bucket(nanos: u64) -> usize {
    if nanos < 1 << LINEAR_BITS {
        return (nanos >> (LINEAR_BITS - SUB_BITS)) as usize;
    }
    if nanos >= 1 << TOP_BITS {
        return BUCKETS - 1;
    }
    let exponent = 63 - nanos.leading_zeros();
    let sub = (nanos >> (exponent - SUB_BITS)) as usize & (SUB - 1);
    SUB + (exponent - LINEAR_BITS) as usize * SUB + sub
}

/// The smallest latency, in nanoseconds, of a bucket.
pub(crate) const fn lower(bucket: usize) -> u64 {
    if bucket < SUB {
        return (bucket as u64) << (LINEAR_BITS - SUB_BITS);
    }
    let (octave, sub) = ((bucket - SUB) / SUB, (bucket - SUB) % SUB);
    ((SUB + sub) as u64) << (octave as u32 + LINEAR_BITS - SUB_BITS)
}

/// The value that stands for a bucket: its middle.
pub(crate) const fn middle(bucket: usize) -> u64 {
    let low = lower(bucket);
    if bucket + 1 >= BUCKETS { low } else { low + (lower(bucket + 1) - low) / 2 }
}
