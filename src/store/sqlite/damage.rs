//! Damage that SQLite itself would pass over in silence when it opens a store.
//!
//! SQLite reads a write-ahead log up to the first frame that does not add up and takes that for its end: after a power
//! failure it often is. But a frame with whole transactions behind it was on disk before they were written, so something
//! has changed it since, and what it held was acknowledged. The format is in "WAL-mode File Format" (sqlite.org).

use std::fs;
use std::path::Path;

use cpq_domain::{Code, Error, Result};

use super::open::log_of;

/// Bytes before the first frame, and of the head of each frame.
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;
/// Magic number of a log; the last bit says that its checksums are of big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// Transactions behind a bad frame that prove it was whole once. One alone may have been cut short by a power failure:
/// its frames reach the disk in any order until it is flushed.
const PROOF: usize = 2;
/// Looks before a log that looks damaged counts as damaged: another process may be rewriting it just now.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: std::time::Duration = std::time::Duration::from_millis(30);

/// Refuses a file that was cut short, or whose log was changed. Reads only.
pub(super) fn refuse(path: &Path, place: &str) -> Result<()> {
    let log = log_of(path);
    let told = |why: String| {
        let message = format!("the store {place} is damaged: {why}");
        Err(Error::new(Code::StoreUnavailable, message).next(
            "stop every cpq, keep the file and its -wal for later, and restore a backup (docs/store.md)",
        ))
    };
    if let Some((there, wanted)) = cut_short(path, &log) {
        return told(format!("it has {there} bytes, and its head tells of {wanted}"));
    }
    let mut found = None;
    for _ in 0..LOOKS {
        found = fs::read(&log).ok().and_then(|bytes| bad_frame(&bytes));
        if found.is_none() {
            return Ok(());
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    found.map_or(Ok(()), |frame| {
        told(format!(
            "frame {frame} of {} was changed after it was written",
            log.display()
        ))
    })
}

/// Bytes of the file and those its head tells of, where it has fewer. A log that is not empty may hold the rest.
fn cut_short(path: &Path, log: &Path) -> Option<(u64, u64)> {
    if fs::metadata(log).is_ok_and(|log| log.len() > 0) {
        return None;
    }
    let there = fs::metadata(path).ok()?.len();
    let mut head = [0; 100];
    let mut file = fs::File::open(path).ok()?;
    std::io::Read::read_exact(&mut file, &mut head).ok()?;
    if !head.starts_with(b"SQLite format 3\0") {
        return None;
    }
    let page = match u16::from_be_bytes([head[16], head[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let wanted = page * u64::from(word(&head, 28, true));
    (there < wanted).then_some((there, wanted))
}

/// The first frame (from 1) that does not add up although whole transactions came after it.
fn bad_frame(log: &[u8]) -> Option<usize> {
    let head = log.get(..LOG_HEAD)?;
    let magic = word(head, 0, true);
    if magic & !1 != MAGIC {
        return None;
    }
    let big = magic & 1 == 1;
    let page = word(head, 8, true) as usize;
    let (salts, mut sum) = (&head[16..24], (word(head, 24, true), word(head, 28, true)));
    let mut bad = None;
    let mut commits = 0;
    for (number, frame) in log[LOG_HEAD..].chunks_exact(FRAME_HEAD + page).enumerate() {
        // Frames of the log's life before: its end.
        if &frame[8..16] != salts {
            break;
        }
        let stored = (word(frame, 16, true), word(frame, 20, true));
        let added = checksum(&frame[FRAME_HEAD..], big, checksum(&frame[..8], big, sum));
        // The next frame goes on from what this one says of itself, so one bad page leaves the rest comparable.
        sum = stored;
        if added != stored {
            bad = bad.or(Some(number + 1));
            continue;
        }
        let commits_here = word(frame, 4, true) != 0;
        commits += usize::from(bad.is_some() && commits_here);
    }
    bad.filter(|_| commits >= PROOF)
}

fn word(bytes: &[u8], at: usize, big: bool) -> u32 {
    let four = bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .unwrap_or_default();
    if big {
        u32::from_be_bytes(four)
    } else {
        u32::from_le_bytes(four)
    }
}

fn checksum(bytes: &[u8], big: bool, (mut first, mut second): (u32, u32)) -> (u32, u32) {
    for at in (0..bytes.len()).step_by(8) {
        first = first.wrapping_add(word(bytes, at, big)).wrapping_add(second);
        second = second.wrapping_add(word(bytes, at + 4, big)).wrapping_add(first);
    }
    (first, second)
}
