//! Which traces are kept.

use cpq_domain::trace::TraceContext;
use cpq_domain::{Code, Error, Result};

/// Bits of a trace id that are random by its standard (W3C Trace Context, level 2): the last 56.
const RANDOM_BITS: u32 = 56;

/// Decides by the trace id alone, so that every process decides the same about a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// Whether a trace that somebody else began is kept if that one keeps it.
    parent_decides: bool,
    /// The least value of the random bits with which a trace is kept.
    least: u64,
}

impl Sampler {
    /// As `OTEL_TRACES_SAMPLER` says, else by the configured ratio for traces of our own.
    ///
    /// [`Code::ConfigInvalid`] for a name or a ratio that there is not.
    pub(super) fn of(ratio: f64, name: Option<&str>, argument: Option<&str>) -> Result<Sampler> {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(Sampler::new(true, ratio));
        };
        let argument = argument.filter(|text| !text.is_empty()).unwrap_or("1");
        let ratio = argument.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
        let ratio = ratio.ok_or_else(|| {
            wrong(format!(
                "OTEL_TRACES_SAMPLER_ARG is {argument:?}, and no ratio between 0 and 1"
            ))
        });
        let (parent_decides, own) = match name.strip_prefix("parentbased_") {
            Some(own) => (true, own),
            None => (false, name),
        };
        match own {
            "always_on" => Ok(Sampler::new(parent_decides, 1.0)),
            "always_off" => Ok(Sampler::new(parent_decides, 0.0)),
            "traceidratio" => Ok(Sampler::new(parent_decides, ratio?)),
            _ => Err(wrong(format!("OTEL_TRACES_SAMPLER names no sampler: {name:?}"))),
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a ratio between 0 and 1 of 2^56, to within a float's precision"
    )]
    fn new(parent_decides: bool, ratio: f64) -> Sampler {
        let all = 1_u64 << RANDOM_BITS;
        let least = ((1.0 - ratio) * all as f64) as u64;
        Sampler {
            parent_decides,
            least,
        }
    }

    /// Whether a trace that begins here is kept.
    #[allow(clippy::cast_possible_truncation, reason = "the last bits are wanted")]
    pub(super) fn keeps(&self, trace: u128) -> bool {
        trace as u64 & ((1 << RANDOM_BITS) - 1) >= self.least
    }

    /// Whether a trace is kept that somebody else began.
    pub(super) fn keeps_under(&self, parent: TraceContext) -> bool {
        match self.parent_decides {
            true => parent.is_sampled(),
            false => self.keeps(parent.trace()),
        }
    }
}

fn wrong(message: String) -> Error {
    Error::new(Code::ConfigInvalid, message).next(
        "use always_on, always_off or traceidratio, with parentbased_ before it or not, or [traces] ratio in the \
         configuration",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOW: u128 = 0xff00_0000_0000_0001;
    const HIGH: u128 = 0x00ff_ffff_ffff_ffff;

    fn sampler(name: &str, argument: &str) -> Sampler {
        Sampler::of(1.0, Some(name), Some(argument)).expect("there is such a sampler")
    }

    #[test]
    fn a_ratio_keeps_what_is_above_it() {
        let sampler = Sampler::of(0.25, None, None).expect("a ratio");
        assert_eq!((sampler.keeps(LOW), sampler.keeps(HIGH)), (false, true));
        let kept = (0..1_000).filter(|n| sampler.keeps(n << 46)).count();
        assert_eq!(kept, 232, "of 1,024 such ids 256 are in the upper quarter");
        assert!(!Sampler::of(0.0, None, None).expect("none").keeps(HIGH));
        assert!(Sampler::of(1.0, None, None).expect("all").keeps(0));
    }

    #[test]
    fn whoever_began_a_trace_decides_unless_the_variable_says_otherwise() {
        let kept = TraceContext::new(LOW, 1, true).expect("ids");
        let dropped = TraceContext::new(HIGH, 1, false).expect("ids");
        let decides = |sampler: Sampler| (sampler.keeps_under(kept), sampler.keeps_under(dropped));
        assert_eq!(decides(sampler("parentbased_traceidratio", "0.1")), (true, false));
        assert_eq!(decides(sampler("traceidratio", "0.1")), (false, true));
        assert_eq!(decides(sampler("always_on", "")), (true, true));
        assert_eq!(decides(sampler("always_off", "")), (false, false));
    }

    #[test]
    fn a_sampler_that_there_is_not_is_refused() {
        for (name, argument) in [
            ("jaeger_remote", ""),
            ("traceidratio", "2"),
            ("traceidratio", "x"),
        ] {
            let error = Sampler::of(1.0, Some(name), Some(argument)).expect_err(name);
            assert_eq!(error.code, Code::ConfigInvalid);
        }
    }
}
