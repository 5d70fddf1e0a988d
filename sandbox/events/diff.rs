//! Long texts told as a difference (Change Data Capture Developer Guide, Sending Data Differences for Fields of
//! Updated Records): the lines that changed, in the unified format without context, behind a hash of the whole.

use super::digest::sha256;
use std::fmt::Write;

/// Shorter texts are always sent whole.
const SHORTEST: usize = 1_000;
/// Texts whose lengths differ by more than this share are sent whole.
const LENGTH_PERCENT: usize = 50;
/// So are texts of which more than this share of all lines, old and new, changed.
const LINES_PERCENT: usize = 25;
/// Lines that are compared at most on each side, so that a text of nothing but line breaks costs no minute.
const COMPARED: usize = 1_000;

/// The difference that is sent for this new text, if not the text itself.
pub fn of(old: &str, new: &str) -> Option<String> {
    if new.chars().count() < SHORTEST {
        return None;
    }
    let longer = old.len().max(new.len());
    if old.len().abs_diff(new.len()) * 100 > longer * LENGTH_PERCENT {
        return None;
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (lines(old), lines(new));
    let hunks = hunks(&before, &after)?;
    let changed: usize = hunks
        .iter()
        .map(|hunk| hunk.removed.len() + hunk.added.len())
        .sum();
    if changed * 100 > (before.len() + after.len()) * LINES_PERCENT {
        return None;
    }
    let text = written(&hunks, &before, &after, new);
    (text.len() < new.len()).then_some(text)
}

/// A run of lines that changed.
#[derive(Debug, PartialEq)]
struct Hunk {
    removed: std::ops::Range<usize>,
    added: std::ops::Range<usize>,
}

fn lines(text: &str) -> Vec<&str> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect()
}

/// What changed between the lines, by the longest common subsequence of what differs in the middle.
fn hunks(before: &[&str], after: &[&str]) -> Option<Vec<Hunk>> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (&before[head..], &after[head..]);
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    if old.len() > COMPARED || new.len() > COMPARED {
        return None;
    }
    let common = common(old, new);
    let mut hunks = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (a, b) in common.into_iter().chain([(old.len(), new.len())]) {
        if i < a || j < b {
            hunks.push(Hunk {
                removed: head + i..head + a,
                added: head + j..head + b,
            });
        }
        (i, j) = (a + 1, b + 1);
    }
    Some(hunks)
}

/// Positions of the lines that both have, in order.
fn common(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    let mut longest = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = if old[i] == new[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

fn written(hunks: &[Hunk], before: &[&str], after: &[&str], new: &str) -> String {
    let mut text = String::from("--- \n+++ ");
    // Writing into a string cannot fail.
    for byte in sha256(new.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    for hunk in hunks {
        let start = |range: &std::ops::Range<usize>| range.start + usize::from(!range.is_empty());
        let _ = write!(
            text,
            "\n@@ -{},{} +{},{} @@",
            start(&hunk.removed),
            hunk.removed.len(),
            start(&hunk.added),
            hunk.added.len()
        );
        for line in &before[hunk.removed.clone()] {
            let _ = write!(text, "\n-{line}");
        }
        for line in &after[hunk.added.clone()] {
            let _ = write!(text, "\n+{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(changed: &[(usize, &str)]) -> String {
        let line = |n: usize| {
            let own = changed
                .iter()
                .find(|(at, _)| *at == n)
                .map(|(_, text)| (*text).to_owned());
            own.unwrap_or_else(|| {
                format!("Line {n} of a description that is long enough to be told by its changes.")
            })
        };
        (0..20).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_changed_line_and_a_new_one_are_told_behind_the_hash_of_the_whole() {
        let (old, new) = (text(&[]), text(&[(1, "One"), (7, "Seven\nand a half")]));
        let hash: String = sha256(new.as_bytes())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let line = |n: usize| old.lines().nth(n).unwrap();
        let expected = format!(
            "--- \n+++ {hash}\n@@ -2,1 +2,1 @@\n-{}\n+One\n@@ -8,1 +8,2 @@\n-{}\n+Seven\n+and a half",
            line(1),
            line(7)
        );
        assert_eq!(of(&old, &new), Some(expected));
    }

    #[test]
    fn texts_that_differ_too_much_or_are_short_are_sent_whole() {
        let old = text(&[]);
        assert_eq!(of("short", "short too"), None);
        assert_eq!(of(&old, &format!("{old}{old}{old}")), None);
        let many: Vec<(usize, &str)> = (0..8)
            .map(|n| (n, "another line of about the same length as before, but other"))
            .collect();
        assert_eq!(of(&old, &text(&many)), None);
        assert!(of(&old, &text(&many[..2])).is_some());
    }
}
