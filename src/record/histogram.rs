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
    // Its binary logarithm, or that of the first octave: the linear part has buckets as wide as that.
    let exponent = (nanos | 1 << LINEAR_BITS).leading_zeros() ^ 63;
    let bucket = (exponent - LINEAR_BITS) as usize * SUB + (nanos >> (exponent - SUB_BITS)) as usize;
    if bucket < BUCKETS { bucket } else { BUCKETS - 1 }
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

#[cfg(all(test, not(plimsoll_loom)))]
mod tests {
    use super::{BUCKETS, bucket, lower};

    #[test]
    fn a_bucket_is_what_lies_from_its_lowest_to_below_the_next() {
        for index in 0..BUCKETS {
            let highest = if index + 1 < BUCKETS { lower(index + 1) - 1 } else { u64::MAX };
            assert_eq!([lower(index), highest].map(bucket), [index; 2], "{} to {highest} ns", lower(index));
        }
    }
}
