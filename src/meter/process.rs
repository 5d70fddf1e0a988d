//! What Linux tells of this process (proc(5)). Elsewhere nothing is told.

use std::fs;

use crate::Sheet;
use crate::catalogue::service;

/// Ticks of a second in /proc (`USER_HZ`, 100 on every architecture that Rust's standard library runs on).
const TICKS: f64 = 100.0;
/// Bytes of a kB there.
const KB: f64 = 1024.0;

/// Puts down what is known; what cannot be read is left out.
pub fn read(sheet: &mut Sheet) {
    let put = |sheet: &mut Sheet, reading, value: Option<f64>| {
        if let Some(value) = value {
            sheet.put(reading, [], value);
        }
    };
    // The name of the program is in parentheses and may hold anything; fields are counted behind it.
    let stat = text("/proc/self/stat");
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // Numbered from 3 in proc(5).
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<f64>().ok());
    let cpu = field(14)
        .zip(field(15))
        .map(|(user, system)| (user + system) / TICKS);
    put(sheet, &service::CPU, cpu);
    put(sheet, &service::THREADS, field(20));
    let booted = number(&text("/proc/stat"), "btime");
    let started = booted
        .zip(field(22))
        .map(|(booted, after)| booted + after / TICKS);
    put(sheet, &service::STARTED, started);
    let memory = number(&text("/proc/self/status"), "VmRSS:");
    put(sheet, &service::MEMORY, memory.map(|kb| kb * KB));
    put(
        sheet,
        &service::FDS_MAX,
        number(&text("/proc/self/limits"), "Max open files"),
    );
    put(sheet, &service::FDS, open_files());
}

#[allow(clippy::cast_precision_loss, reason = "a process has no 2^52 files")]
fn open_files() -> Option<f64> {
    // The folder itself is open while it is read.
    let open = fs::read_dir("/proc/self/fd").ok()?.count();
    Some(open.saturating_sub(1) as f64)
}

fn text(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first number behind the name at the beginning of a line.
fn number(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Format, render};

    #[test]
    fn linux_tells_all_of_it() {
        let mut sheet = Sheet::default();
        read(&mut sheet);
        let page = render(Format::Text, &sheet);
        let value = |name: &str| {
            let line = page
                .lines()
                .find_map(|line| line.strip_prefix(&format!("{name} ")));
            line.and_then(|value| value.parse::<f64>().ok())
                .unwrap_or_else(|| panic!("{name} is not in {page}"))
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_start_time_seconds") > 1.6e9);
        assert!(value("process_open_fds") > 2.0 && value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_threads") >= 1.0 && value("process_cpu_seconds_total") >= 0.0);
    }
}
