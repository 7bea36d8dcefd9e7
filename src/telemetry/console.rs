//! The standard error of this process, which a stopped pager or terminal must not make it wait for.

use super::stream::Stream;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex, PoisonError};

static CONSOLE: LazyLock<Mutex<Stream>> = LazyLock::new(|| Mutex::new(Stream::console()));

/// Writes a line to standard error, or loses it when that takes none.
pub fn say(line: &str) {
    write_lines(format!("{line}\n").as_bytes());
}

fn write_lines(lines: &[u8]) {
    let mut console = CONSOLE.lock().unwrap_or_else(PoisonError::into_inner);
    console.write_lines(lines);
}

/// Writes whole lines to standard error.
pub(super) struct Console;

impl Write for Console {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        write_lines(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
