//! Lines of a file, one at a time and never more than a bound of one in memory.

use std::io::{self, BufRead};

/// Longest line, bytes. A device with the largest twin there may be, escaped, is well below.
pub(crate) const LINE_BYTES_MAX: usize = 256 * 1024;

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Text(Vec<u8>),
    /// Longer than [`LINE_BYTES_MAX`]; passed over without keeping it.
    TooLong,
}

/// Reads lines and counts them from 1.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, number: 0 }
    }

    /// The next line with its number.
    pub(crate) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let mut line = Vec::new();
        let (mut too_long, mut any) = (false, false);
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                break;
            }
            any = true;
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            too_long |= line.len() + part.len() > LINE_BYTES_MAX;
            if too_long {
                line = Vec::new();
            } else {
                line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(Some((self.number, if too_long { Line::TooLong } else { Line::Text(line) })))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn all(bytes: &[u8]) -> Vec<(u64, Line)> {
        let mut lines = Lines::new(BufReader::with_capacity(7, bytes));
        std::iter::from_fn(|| lines.next().expect("reading memory does not fail")).collect()
    }

    #[test]
    fn lines_end_with_and_without_line_feed() {
        let text = |text: &str| Line::Text(text.as_bytes().to_vec());
        assert_eq!(all(b"one\r\n\nthree"), [(1, text("one")), (2, text("")), (3, text("three"))]);
        assert_eq!(all(b""), []);
        assert_eq!(all(b"x\n"), [(1, text("x"))]);
    }

    #[test]
    fn a_line_at_the_bound_is_kept_and_one_beyond_is_not() {
        let mut bytes = vec![b'a'; LINE_BYTES_MAX];
        bytes.push(b'\n');
        bytes.extend(vec![b'b'; 1024 * 1024]);
        bytes.extend(b"\nlast");
        let lines = all(&bytes);
        assert!(matches!(&lines[0], (1, Line::Text(line)) if line.len() == LINE_BYTES_MAX));
        assert_eq!(lines[1], (2, Line::TooLong));
        assert_eq!(lines[2], (3, Line::Text(b"last".to_vec())));
    }
}
