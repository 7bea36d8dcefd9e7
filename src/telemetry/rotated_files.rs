//! The rotated files of a log: finding, compressing and removing them.

use super::timestamp;
use crate::config::RollingLogSettings;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The limits on the size and age of a log.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Maximum size of the current file. The file is rotated before it grows beyond this size.
    pub file_bytes_max: u64,
    /// Maximum total size of the rotated files; the oldest are removed first.
    pub total_bytes_max: u64,
    /// Number of days for which rotated files are kept.
    pub days_max: Option<u64>,
    /// Whether rotated files are compressed.
    pub compress: bool,
}

impl Retention {
    /// Returns the limits of a log that keeps rotated files for a number of days.
    pub fn of(settings: &RollingLogSettings) -> Retention {
        Retention {
            file_bytes_max: settings.max_size_bytes,
            // airlift limits only the number of days, which does not limit the size on a busy day.
            total_bytes_max: settings
                .max_size_bytes
                .saturating_mul(settings.max_history_days),
            days_max: Some(settings.max_history_days),
            compress: settings.compress,
        }
    }
}

/// A rotated file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rotated {
    pub(super) date: String,
    pub(super) number: u64,
    path: PathBuf,
    compressed: bool,
    bytes: u64,
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the rotated files, oldest first.
pub(super) fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let prefix = format!("{}-", file_name(path));
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix(&prefix) else {
            continue;
        };
        let compressed = rest.ends_with(".log.gz");
        let Some(stem) = rest
            .strip_suffix(".log")
            .or_else(|| rest.strip_suffix(".log.gz"))
        else {
            continue;
        };
        let Some((date, number)) = stem.split_once('.') else {
            continue;
        };
        let (Ok(number), Ok(metadata)) = (number.parse(), entry.metadata()) else {
            continue;
        };
        files.push(Rotated {
            date: date.to_owned(),
            number,
            path: entry.path(),
            compressed,
            bytes: metadata.len(),
        });
    }
    files.sort();
    Ok(files)
}

/// Compresses the rotated files of a log, and removes the oldest files beyond the limits.
pub(super) fn keep_house(path: &Path, retention: &Retention, now_ms: u64) -> io::Result<()> {
    if retention.compress {
        for file in rotated(path)?.iter().filter(|file| !file.compressed) {
            compress(&file.path)?;
        }
    }
    let files = rotated(path)?;
    let oldest = retention
        .days_max
        .map(|days| timestamp::date(now_ms.saturating_sub(days * 86_400_000)));
    let mut total: u64 = files.iter().map(|file| file.bytes).sum();
    for file in files {
        let too_old = oldest.as_ref().is_some_and(|oldest| file.date < *oldest);
        if too_old || total > retention.total_bytes_max {
            fs::remove_file(&file.path)?;
            total -= file.bytes;
        }
    }
    Ok(())
}

/// Replaces a file with its `.gz`. A crash in between leaves the file, and a `.tmp` that the next
/// attempt overwrites.
fn compress(path: &Path) -> io::Result<()> {
    let target = path.with_added_extension("gz");
    let partial = path.with_added_extension("gz.tmp");
    let mut encoder = GzEncoder::new(File::create(&partial)?, Compression::fast());
    io::copy(&mut File::open(path)?, &mut encoder)?;
    encoder.finish()?;
    fs::rename(&partial, &target)?;
    fs::remove_file(path)
}
