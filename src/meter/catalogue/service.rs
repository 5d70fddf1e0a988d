//! The process itself. What every process has is named as in Prometheus' own libraries.

use crate::{Counter, Reading};

metrics! {
    /// What runs: its version, and the engine of its store.
    BUILD: Reading = "cpq_build_info" ["version", "store"];
    /// Syncs that this process works on at most at the same time.
    WORKERS: Reading = "cpq_workers" [];
    /// Syncs that this process works on now.
    WORKERS_BUSY: Reading = "cpq_workers_busy" [];
    /// Spans that were delivered to the collector of traces.
    SPANS_SENT: Counter = "cpq_trace_spans_sent_total" [];
    /// Spans that were not, and why.
    SPANS_LOST: Counter = "cpq_trace_spans_lost_total" ["reason"];
    /// Time of the processors that was used.
    CPU: Reading = "process_cpu_seconds_total" [];
    /// When the process was started.
    STARTED: Reading = "process_start_time_seconds" [];
    /// Memory that is in use.
    MEMORY: Reading = "process_resident_memory_bytes" [];
    /// Files and sockets that are open.
    FDS: Reading = "process_open_fds" [];
    /// Files and sockets that may be open.
    FDS_MAX: Reading = "process_max_fds" [];
    /// Threads.
    THREADS: Reading = "process_threads" [];
}
