//! The output of a script, without what the login prints before and after it.

use async_trait::async_trait;

use super::{BROKEN, HostError, Sink, Take, said};

/// The most that is kept of what a login prints, in bytes.
const MOST_NOISE: usize = 4 << 10;

/// Hands on what stands between the two marks of `wrap.sh`, byte by byte as it is.
pub(super) struct Between<'s> {
    sink: &'s mut Sink,
    begin: Vec<u8>,
    end: Vec<u8>,
    stage: Stage,
    /// What came and was not handed on yet: it may hold the beginning of a mark.
    held: Vec<u8>,
    noise: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Within,
    After,
}

impl<'s> Between<'s> {
    pub(super) fn new(sink: &'s mut Sink, mark: &str) -> Self {
        let mark = |word: &str| format!("lockkeeper {mark}: {word}\n").into_bytes();
        let (begin, end) = (mark("begun"), mark("ended"));
        Self { sink, begin, end, stage: Stage::Before, held: Vec::new(), noise: Vec::new() }
    }

    /// Nothing more comes. What the login printed here and, as given, on standard error.
    ///
    /// # Errors
    /// `Lost` where not all of the output came.
    pub(super) fn end(self, more: Option<&str>) -> Result<Option<String>, HostError> {
        if self.stage != Stage::After {
            return Err(HostError::Lost(BROKEN.into()));
        }
        let here = said(&String::from_utf8_lossy(&self.noise));
        let all: Vec<&str> = [here.as_str()].into_iter().chain(more).filter(|noise| !noise.is_empty()).collect();
        Ok(Some(all.join("; ")).filter(|noise| !noise.is_empty()))
    }

    fn hear(&mut self, count: usize) {
        let room = MOST_NOISE.saturating_sub(self.noise.len()).min(count);
        self.noise.extend_from_slice(&self.held[..room]);
        self.held.drain(..count);
    }
}

#[async_trait]
impl Take for Between<'_> {
    async fn take(&mut self, piece: &[u8]) -> std::io::Result<()> {
        self.held.extend_from_slice(piece);
        if self.stage == Stage::Before {
            match find(&self.held, &self.begin) {
                Some(at) => {
                    self.hear(at);
                    self.held.drain(..self.begin.len());
                    self.stage = Stage::Within;
                    // It begins to be there with its mark, whether or not it prints anything by now.
                    self.sink.take(&[]).await?;
                }
                None => self.hear(self.held.len().saturating_sub(self.begin.len() - 1)),
            }
        }
        if self.stage == Stage::Within {
            let found = find(&self.held, &self.end);
            let whole = found.unwrap_or(self.held.len().saturating_sub(self.end.len() - 1));
            if whole > 0 {
                self.sink.take(&self.held[..whole]).await?;
                self.held.drain(..whole);
            }
            if found.is_some() {
                self.held.drain(..self.end.len());
                self.stage = Stage::After;
            }
        }
        if self.stage == Stage::After {
            self.hear(self.held.len());
        }
        Ok(())
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|part| part == mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn cut(pieces: &[&[u8]]) -> (Vec<u8>, Result<Option<String>, HostError>) {
        let mut sink = Sink::Memory(Vec::new());
        let mut between = Between::new(&mut sink, "m");
        for piece in pieces {
            between.take(piece).await.unwrap();
        }
        let end = between.end(Some("oops"));
        let Sink::Memory(kept) = sink else { panic!("another sink") };
        (kept, end)
    }

    #[tokio::test]
    async fn wherever_it_is_torn_the_output_is_the_same() {
        let all = b"motd\nlockkeeper m: begun\n\0x\xfflockkeeper m: end\n\nlockkeeper m: ended\nbye\n";
        for at in 0..all.len() {
            let (first, second) = all.split_at(at);
            let (kept, end) = cut(&[first, second]).await;
            assert_eq!(kept, b"\0x\xfflockkeeper m: end\n\n", "torn at {at}");
            assert_eq!(end, Ok(Some("motd; bye; oops".into())));
        }
        let single: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(cut(&single).await.0, b"\0x\xfflockkeeper m: end\n\n");
    }

    #[tokio::test]
    async fn half_an_output_is_none() {
        let (_, end) = cut(&[b"lockkeeper m: begun\nhalf"]).await;
        assert!(matches!(end, Err(HostError::Lost(_))), "{end:?}");
    }
}
