//! What kind of day a seed describes. Each seed takes part of all faults and edits only, and each in a measure of its
//! own: a mixture of everything hides what needs the absence of something (swarm testing, ISSTA 2012).

use crate::dice::Dice;

/// Seeds from here on are days of one long quote: its lines need many calls, which break in between, and its seller and rep
/// think of nothing else. What only shows when several such things meet is too rare on other days.
pub const LONG_QUOTES: u64 = 1 << 32;
/// How likely a call of such a day is refused, or loses its answer, at least.
const BREAKS: u64 = 15;

/// Seeds from here on are days on which somebody takes syncs back. They are apart, so that other days stay what they were.
pub const REGRETS: u64 = 1 << 33;

/// The day of one seed. Likelihoods are in percent.
#[derive(Clone, Debug)]
pub struct Knobs {
    /// Processes that share the store.
    pub nodes: u64,
    /// Opportunities.
    pub opportunities: u64,
    /// Virtual milliseconds of edits and faults.
    pub chaos_ms: u64,
    /// Mean pause of a person between two edits, in milliseconds.
    pub pause_ms: u64,
    /// Runs of one process at a time.
    pub concurrency: u64,
    /// Lease of a run, in milliseconds.
    pub lease_ms: u64,
    /// Tries of a run.
    pub tries: u64,
    /// Longest wait of a call on its way, in milliseconds.
    pub latency_ms: u64,
    /// Calls that are refused.
    pub refused: u64,
    /// Writes whose answer is lost: not done, done, or done later.
    pub lost: u64,
    /// Writes that the network delivers twice.
    pub twice: u64,
    /// Reads of what was true before.
    pub stale: u64,
    /// Whether hints of the CPQ may be lost, and a look at everything makes up for it.
    pub lossy: bool,
    /// Whether that look is a reconcile.
    pub reconciles: bool,
    /// Mean time between two deaths of a process, in milliseconds; 0 for none.
    pub death_ms: u64,
    /// Jumps of the clock of all processes.
    pub jumps: u64,
    /// Times at which the CRM refuses our grant for a while.
    pub revoked: u64,
    /// Deliveries of the feed that fail, repeat themselves, or leave something out.
    pub feed: u64,
    /// Whether the CPQ recognises a key that it has seen.
    pub remembers_keys: bool,
    /// Automation in the CRM that changes a field of the CRM's in the transaction of our own write.
    pub automation: u64,
    /// Lines that the CRM takes in one call.
    pub lines_a_call: u64,
    /// Whether records are deleted, and sometimes brought back.
    pub deletes: bool,
    /// Whether the ownership matrix is replaced while the engine works.
    pub rules_change: bool,
    /// Whether people edit lines and move the quote on, and do little else.
    pub long_quotes: bool,
    /// Whether somebody takes syncs back.
    pub regrets: bool,
}

impl Knobs {
    /// The day of a seed.
    pub fn of(seed: u64, dice: &mut Dice) -> Knobs {
        let drawn = Knobs::drawn(dice);
        if seed >= REGRETS {
            return Knobs {
                regrets: true,
                ..drawn
            };
        }
        if seed < LONG_QUOTES {
            return drawn;
        }
        Knobs {
            long_quotes: true,
            opportunities: 1,
            lines_a_call: 1,
            tries: 3,
            refused: drawn.refused.max(BREAKS),
            lost: drawn.lost.max(BREAKS),
            ..drawn
        }
    }

    fn drawn(dice: &mut Dice) -> Knobs {
        let mut some = |likely: u64, from: u64, to: u64| match dice.percent(likely) {
            true => dice.between(from, to),
            false => 0,
        };
        let lossy = some(35, 1, 1) == 1;
        Knobs {
            nodes: 1 + some(60, 1, 2),
            opportunities: 1 + some(50, 1, 2),
            chaos_ms: 4_000 + some(60, 1, 16_000),
            pause_ms: 150 + some(80, 1, 1_500),
            concurrency: 1 + some(80, 1, 7),
            lease_ms: 1_500 + some(60, 0, 6_000),
            tries: 3 + some(70, 1, 9),
            latency_ms: 1 + some(85, 10, 400),
            refused: some(55, 1, 25),
            lost: some(60, 1, 25),
            twice: some(40, 1, 15),
            stale: if lossy { some(50, 1, 15) } else { 0 },
            lossy,
            reconciles: some(40, 1, 1) == 1,
            death_ms: some(55, 800, 8_000),
            jumps: some(25, 1, 2),
            revoked: some(15, 1, 2),
            feed: some(60, 2, 25),
            remembers_keys: some(60, 1, 1) == 1,
            automation: some(40, 5, 40),
            lines_a_call: 1 + some(70, 1, 20),
            deletes: some(15, 1, 1) == 1,
            rules_change: some(20, 1, 1) == 1,
            long_quotes: false,
            regrets: false,
        }
    }
}
