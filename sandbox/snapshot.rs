//! The state on disk: one file of JSON lines, replaced as a whole, so that a crash leaves the old one or the new one.
//! It holds what clients have built up; how the sandbox behaves is said anew at each start.

use crate::bulk::{Bulk, BulkFace};
use crate::clock::{Clock, Face, stopwatch};
use crate::events::Stored;
use crate::limits::{Limits, Usage};
use crate::oauth::Access;
use crate::org::Org;
use crate::push::{Outbox, Push};
use crate::state::{Sandbox, Shared, lock};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the snapshot in the state directory.
pub const FILE: &str = "sandbox.snapshot.json";
/// Shortest time between two snapshots.
const PAUSE: Duration = Duration::from_secs(2);
/// Writing may take at most this share of the time, so that a huge org is not always being written.
const PAUSE_PER_COST: u32 = 20;
const FORMAT: u32 = 2;

/// The first line; those of the events and of the org follow.
#[derive(Serialize, Deserialize)]
struct Snapshot<A, P> {
    format: u32,
    clock: Face,
    usage: Usage,
    access: A,
    #[serde(default)]
    bulk: BulkFace,
    #[serde(default)]
    push: P,
    /// Whether lines of events come before those of the org.
    #[serde(default)]
    events: bool,
}

/// What a snapshot held.
pub struct Restored {
    /// The time.
    pub clock: Clock,
    /// API calls used.
    pub limits: Limits,
    /// Apps, grants and sessions.
    pub access: Access,
    /// Records.
    pub org: Org,
    /// Bulk jobs.
    pub bulk: Bulk,
    /// What was still to be sent.
    pub push: Push,
    /// Stored events.
    pub events: Option<Stored>,
}

/// Reads the snapshot of a state directory; `None` when there is none.
///
/// # Errors
/// A sentence naming the file and the way out.
pub fn read(dir: &Path) -> Result<Option<Restored>, String> {
    let path = dir.join(FILE);
    let unreadable = |error: io::Error| format!("cannot read the snapshot {}: {error}", path.display());
    let mut lines = match std::fs::File::open(&path) {
        Ok(file) => io::BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let broken = |why: String| {
        format!(
            "the snapshot {} cannot be used: {why}. Move it away to begin with a fresh org, \
             or start with another state directory",
            path.display()
        )
    };
    let mut first = String::new();
    lines.read_line(&mut first).map_err(unreadable)?;
    let snapshot: Snapshot<Access, Outbox> =
        serde_json::from_str(&first).map_err(|error| broken(error.to_string()))?;
    if snapshot.format != FORMAT {
        return Err(broken(format!(
            "its format is {}, this program reads {FORMAT}",
            snapshot.format
        )));
    }
    let events = match snapshot.events {
        true => Some(Stored::read(&mut lines).map_err(broken)?),
        false => None,
    };
    let org = Org::read(&mut lines).map_err(broken)?;
    let (clock, limits) = (
        Clock::from_face(snapshot.clock),
        Limits::from_usage(snapshot.usage),
    );
    Ok(Some(Restored {
        clock,
        limits,
        access: snapshot.access,
        org,
        bulk: Bulk::from_face(snapshot.bulk),
        push: Push::from_snapshot(snapshot.push),
        events,
    }))
}

/// Writes the snapshot, if there is a state directory.
///
/// # Errors
/// When the file cannot be written; the old one is still there then.
pub fn write(sandbox: &Sandbox) -> io::Result<()> {
    let Some(dir) = &sandbox.options.state_dir else {
        return Ok(());
    };
    let access = serde_json::to_value(&*lock(&sandbox.access)).map_err(io::Error::other)?;
    // The org goes on while this picture of it is written. A change must not be in it without its events and
    // the messages that it sends.
    let (bulk, (org, events, push)) = sandbox.bulk.face_with(|| {
        let org = lock(&sandbox.org);
        let events = sandbox.events.still(sandbox.clock.now());
        (org.still(), events, sandbox.push.to_snapshot())
    });
    let snapshot = Snapshot {
        format: FORMAT,
        clock: sandbox.clock.face(),
        usage: sandbox.limits.usage(),
        access,
        bulk,
        push,
        events: true,
    };
    replace_private(&dir.join(FILE), |out| {
        serde_json::to_writer(&mut *out, &snapshot)?;
        out.write_all(b"\n")?;
        events.write(out)?;
        org.write(out)
    })
}

/// Writes whenever something has changed, until the sandbox stops.
pub async fn keep(sandbox: Shared) {
    let mut written = sandbox.changes();
    let mut pause = PAUSE;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = sandbox.stop.cancelled() => return,
        }
        let changes = sandbox.changes();
        if changes == written {
            continue;
        }
        let began = stopwatch();
        let writer = sandbox.clone();
        match tokio::task::spawn_blocking(move || write(&writer)).await {
            Ok(Ok(())) => written = changes,
            Ok(Err(error)) => tracing::warn!(%error, "the snapshot was not written; trying again"),
            Err(error) => tracing::warn!(%error, "writing the snapshot broke off; trying again"),
        }
        pause = PAUSE.max(began.elapsed() * PAUSE_PER_COST);
    }
}

/// Replaces a file as a whole, readable by its owner only: keys and tokens are in these files.
///
/// # Errors
/// Those of the file system.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_private(path, |out| out.write_all(bytes))
}

fn replace_private(
    path: &Path,
    write: impl FnOnce(&mut io::BufWriter<std::fs::File>) -> io::Result<()>,
) -> io::Result<()> {
    let beside = beside(path);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = io::BufWriter::new(options.open(&beside)?);
    write(&mut out)?;
    out.into_inner()?.sync_all()?;
    std::fs::rename(&beside, path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
