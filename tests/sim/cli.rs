//! Lives many seeds: `cpq-sim --seeds N [--from S] [--threads T] [--verbose]`; on every processor unless told otherwise.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, usual: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        let given = at.and_then(|at| arguments.get(at + 1));
        given.map_or(usual, |text| text.parse().unwrap_or(usual))
    };
    let (from, seeds) = (number("--from", 0), number("--seeds", 2_000));
    let verbose = arguments.iter().any(|argument| argument == "--verbose");
    let all = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = number("--threads", u64::try_from(all).unwrap_or(1));
    let (next, failed) = (AtomicU64::new(from), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, SeqCst);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = sim::live_and_tell(seed, verbose);
                    if !outcome.violations.is_empty() || verbose {
                        failed.fetch_add(u64::from(!outcome.violations.is_empty()), SeqCst);
                        tell(&outcome, verbose);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    let _ = writeln!(std::io::stdout(), "{seeds} seeds from {from}: {failed} failed");
    ExitCode::from(u8::from(failed > 0))
}

fn tell(outcome: &sim::Outcome, verbose: bool) {
    let mut out = std::io::stdout().lock();
    if verbose {
        for row in &outcome.last {
            let _ = writeln!(out, "{row}");
        }
    }
    for violation in &outcome.violations {
        let _ = writeln!(out, "seed {}: {violation}", outcome.seed);
    }
    let _ = writeln!(
        out,
        "  cargo run --config tests/sim/optimised.toml -p cpq-sim -- --seeds 1 --from {} --verbose",
        outcome.seed
    );
}
