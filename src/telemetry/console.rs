//! The standard error of this process. Writing to it must not block when a pager or terminal is
//! stopped.

use super::stream::DeviceStream;
use crate::locks::lock;
use std::io::{self, Write};
use std::sync::{LazyLock, Mutex};

static CONSOLE: LazyLock<Mutex<DeviceStream>> =
    LazyLock::new(|| Mutex::new(DeviceStream::console()));

/// Writes a line to standard error, or drops it if standard error does not accept it.
pub fn say(line: &str) {
    write_lines(format!("{line}\n").as_bytes());
}

fn write_lines(lines: &[u8]) {
    let mut console = lock(&CONSOLE);
    console.write_lines(lines);
}

/// A writer of whole lines to standard error.
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
