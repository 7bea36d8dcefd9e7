//! Output of a command, and detection of a closed standard output.

use anyhow::Context;
use std::io::{self, Write};
use std::os::fd::AsFd;
use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// Maximum number of characters of a server's message that are shown to the user.
const REPEATED_CHARS_MAX: usize = 500;

/// Prints one or more lines to standard output and flushes it, because a reader waits for them.
///
/// # Errors
/// Fails when standard output is closed or full, where `println!` would panic.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .context("cannot write to standard output")
}

/// Prints a notice to standard error.
pub fn notice(text: &str) {
    let _lost = writeln!(io::stderr(), "{text}");
}

/// Prints an error to standard error.
pub fn print_error(text: &str) {
    notice(&format!("ERROR: {text}"));
}

/// Waits until the reader of standard output has closed the pipe, so that
/// `quorate watch ... | head -1` ends. Never returns for a file or a terminal.
pub async fn reader_gone() {
    // Use the unchecked constructor, because `from_owned_fd` would make writes to standard output
    // fail when the reader is slow. If standard output is a file, the constructor fails, because a
    // file cannot be polled. This function then never returns, because a file has no reader.
    let pipe = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(Sender::from_owned_fd_unchecked);
    if let Ok(pipe) = pipe
        && pipe.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Returns a server's message without line breaks and shortened, to be shown as part of one line.
pub fn one_line(text: &str) -> String {
    let text = text.trim();
    text.chars()
        .map(|c| if c == '\n' { ' ' } else { c })
        .filter(|c| !c.is_control())
        .take(REPEATED_CHARS_MAX)
        .collect()
}

/// Appends rows as a table whose columns are as wide as their widest cell. The first row is the
/// header.
pub fn push_table<const N: usize>(text: &mut String, rows: &[[String; N]]) {
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or(0));
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server's message cannot move the cursor or fill the screen.
    #[test]
    fn a_servers_words_are_one_short_line() {
        assert_eq!(
            one_line(" no quorum\r\nat\u{1b}[2J all\n"),
            "no quorum at[2J all"
        );
        assert_eq!(one_line(&"x".repeat(10_000)).len(), REPEATED_CHARS_MAX);
    }
}
