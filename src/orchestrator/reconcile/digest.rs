//! Which quotes have no opportunity in the CRM, without keeping a list of either.
//!
//! Both sides are counted into buckets by a hash of the opportunity's id. A bucket whose count and sum are the same on
//! both sides holds the same ids, whatever the order in which they came; only the quotes of the others are looked up. So
//! 100,000 opportunities take as much memory as ten, and a side in full agreement costs no further call.

use aws_lc_rs::digest::{SHA256, digest};
use cpq_domain::id::RecordId;
use cpq_domain::{Code, Error, Result};

/// Buckets. With 100,000 quotes one missing opportunity means 24 quotes to look up, and all buckets are 96 KiB.
const BUCKETS: usize = 4_096;
/// Bytes of a bucket as it is stored: two counts of four bytes and two sums of eight.
const BYTES: usize = 24;

#[derive(Clone, Copy, Default)]
struct Bucket {
    crm: (u32, u64),
    cpq: (u32, u64),
}

/// Opportunities with a quote, as both sides have them.
pub(super) struct Digest(Vec<Bucket>);

impl Digest {
    pub(super) fn empty() -> Digest {
        Digest(vec![Bucket::default(); BUCKETS])
    }

    /// An opportunity that the CRM showed and the CPQ has a quote for.
    pub(super) fn add_crm(&mut self, id: &RecordId) {
        let (bucket, number) = place(id);
        add(&mut self.0[bucket].crm, number);
    }

    /// An opportunity that the CPQ has a quote for.
    pub(super) fn add_cpq(&mut self, id: &RecordId) {
        let (bucket, number) = place(id);
        add(&mut self.0[bucket].cpq, number);
    }

    /// Whether both sides have the same.
    pub(super) fn is_even(&self) -> bool {
        self.0.iter().all(|bucket| bucket.crm == bucket.cpq)
    }

    /// Whether this opportunity may be one that only one side has.
    pub(super) fn is_suspect(&self, id: &RecordId) -> bool {
        let bucket = &self.0[place(id).0];
        bucket.crm != bucket.cpq
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BUCKETS * BYTES);
        for bucket in &self.0 {
            for (count, sum) in [bucket.crm, bucket.cpq] {
                bytes.extend(count.to_be_bytes());
                bytes.extend(sum.to_be_bytes());
            }
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Digest> {
        if bytes.is_empty() {
            return Ok(Digest::empty());
        }
        if bytes.len() != BUCKETS * BYTES {
            let message = "the mark of this reconcile was written by another version and cannot be read";
            return Err(Error::new(Code::Internal, message).next("start a new one with `cpq reconcile`"));
        }
        let side = |bytes: &[u8]| {
            let (mut count, mut sum) = ([0; 4], [0; 8]);
            count.copy_from_slice(&bytes[..4]);
            sum.copy_from_slice(&bytes[4..12]);
            (u32::from_be_bytes(count), u64::from_be_bytes(sum))
        };
        let bucket = |bytes: &[u8]| Bucket {
            crm: side(&bytes[..12]),
            cpq: side(&bytes[12..]),
        };
        Ok(Digest(bytes.chunks_exact(BYTES).map(bucket).collect()))
    }
}

fn add(side: &mut (u32, u64), number: u64) {
    side.0 = side.0.wrapping_add(1);
    side.1 = side.1.wrapping_add(number);
}

fn place(id: &RecordId) -> (usize, u64) {
    let hash = digest(&SHA256, id.as_str().as_bytes());
    let (mut bucket, mut number) = ([0; 2], [0; 8]);
    bucket.copy_from_slice(&hash.as_ref()[..2]);
    number.copy_from_slice(&hash.as_ref()[2..10]);
    (
        usize::from(u16::from_be_bytes(bucket)) % BUCKETS,
        u64::from_be_bytes(number),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u32) -> RecordId {
        RecordId::new(format!("006{n:012}")).expect("an id")
    }

    #[test]
    fn order_means_nothing_and_a_single_missing_one_shows() {
        let mut digest = Digest::empty();
        (0..5_000).for_each(|n| digest.add_crm(&id(n)));
        (0..5_000).rev().for_each(|n| digest.add_cpq(&id(n)));
        assert!(digest.is_even());
        digest.add_cpq(&id(9_999));
        let mut digest = Digest::from_bytes(&digest.to_bytes()).expect("its own bytes");
        assert!(!digest.is_even() && digest.is_suspect(&id(9_999)));
        let others = (0..5_000).filter(|n| digest.is_suspect(&id(*n))).count();
        assert!(others < 20, "{others} others are suspected");
        // One more on the other side makes the counts of all equal, not the buckets.
        digest.add_crm(&id(8_888));
        assert!(digest.is_suspect(&id(9_999)));
        assert!(Digest::from_bytes(&[1, 2, 3]).is_err());
    }
}
