//! W3C Trace Context, version 00: in which trace something happens, and under which span.

use std::fmt;

use crate::id::RunId;

/// A place in a trace, as the header `traceparent` writes it: `00-<32 hex>-<16 hex>-<2 hex>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// The span of that id in the trace of that id; `None` when one of them is zero, which no trace has.
    pub fn new(trace: u128, span: u64, sampled: bool) -> Option<TraceContext> {
        (trace != 0 && span != 0).then_some(TraceContext { trace, span, sampled })
    }

    /// Reads a header, exactly as the standard writes it.
    pub fn parse(text: &str) -> Option<TraceContext> {
        let parts: Vec<&str> = text.split('-').collect();
        let ["00", trace, span, flags] = parts[..] else {
            return None;
        };
        let hex = |part: &str, chars: usize| {
            part.len() == chars
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        if !hex(trace, 32) || !hex(span, 16) || !hex(flags, 2) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        TraceContext::new(
            u128::from_str_radix(trace, 16).ok()?,
            u64::from_str_radix(span, 16).ok()?,
            flags & 1 == 1,
        )
    }

    /// The place where a run begins that nobody's trace leads to: its own trace. Both ids are those of the run, so that
    /// they are found again from it, by another process too. A run's id is random in its last eight bytes but for two
    /// bits, as a trace id has to be.
    pub fn of_run(id: RunId) -> TraceContext {
        let (_, span) = id.0.as_u64_pair();
        TraceContext {
            trace: id.0.as_u128(),
            span,
            sampled: true,
        }
    }

    /// The trace.
    pub fn trace(&self) -> u128 {
        self.trace
    }

    /// The span.
    pub fn span(&self) -> u64 {
        self.span
    }

    /// Whether whoever made the span keeps it.
    pub fn is_sampled(&self) -> bool {
        self.sampled
    }

    /// The trace as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_header_reads_back_as_it_was_written() {
        let context = TraceContext::parse(GIVEN).expect("it is well-formed");
        assert_eq!(context.to_string(), GIVEN);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(context.is_sampled());
    }

    #[test]
    fn only_a_well_formed_header_is_read() {
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-0-0-0",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_trace_of_a_run_is_found_from_its_id() {
        let id = RunId(Uuid::from_u128(0x0193_6b2e_7c1a_7abc_8def_0123_4567_89ab));
        let context = TraceContext::of_run(id);
        assert_eq!(
            context.to_string(),
            "00-01936b2e7c1a7abc8def0123456789ab-8def0123456789ab-01"
        );
    }
}
