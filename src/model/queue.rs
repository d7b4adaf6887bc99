//! A queue whose clones share what they have in common, so that a state can be kept at many places of a session.

use std::collections::VecDeque;
use std::ops::Index;
use std::sync::Arc;

/// Items that are shared or copied together.
const CHUNK: usize = 64;

/// Items in order, oldest first. A clone costs a pointer for each 64 of them, and a change after it copies at most so many.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    /// Each holds [`CHUNK`] items but for the last.
    chunks: VecDeque<Arc<Vec<T>>>,
    /// Items at the front of the first chunk that were let go.
    gone: usize,
    len: usize,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), gone: 0, len: 0 }
    }
}

impl<T: PartialEq> PartialEq for Queue<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Queue<T> {}

impl<T> Queue<T> {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item of that place, counted from 0.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&T> {
        let place = place.checked_add(self.gone)?;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).skip(self.gone)
    }
}

impl<T: Clone> Queue<T> {
    /// Adds the newest.
    pub fn push(&mut self, item: T) {
        match self.chunks.back_mut().filter(|chunk| chunk.len() < CHUNK) {
            Some(chunk) => Arc::make_mut(chunk).push(item),
            None => self.chunks.push_back(Arc::new(vec![item])),
        }
        self.len += 1;
    }

    /// Lets the oldest go.
    pub fn pop(&mut self) -> Option<T> {
        let item = self.get(0)?.clone();
        (self.gone, self.len) = (self.gone + 1, self.len - 1);
        if self.gone == CHUNK || self.len == 0 {
            self.chunks.pop_front();
            self.gone = 0;
        }
        Some(item)
    }

    /// The newest, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut T> {
        Arc::make_mut(self.chunks.back_mut()?).last_mut()
    }
}

impl<T> Index<usize> for Queue<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        let place = place + self.gone;
        &self.chunks[place / CHUNK][place % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_and_its_clones_are_left_alone() {
        let (mut queue, mut plain, mut kept) = (Queue::default(), VecDeque::new(), Vec::new());
        for n in 0..1_000_u32 {
            queue.push(n);
            plain.push_back(n);
            if n % 3 == 0 {
                *queue.last_mut().unwrap() += 7;
                *plain.back_mut().unwrap() += 7;
            }
            // Now and then down to nothing.
            let pops = if n % 200 == 199 { plain.len() } else { usize::from(n > 150) };
            for _ in 0..pops {
                assert_eq!(queue.pop(), plain.pop_front());
            }
            assert!(queue.iter().eq(plain.iter()) && queue.len() == plain.len(), "after {n}");
            assert_eq!(queue.get(plain.len()), None);
            assert_eq!(queue.get(plain.len() / 2), plain.get(plain.len() / 2));
            if n % 50 == 0 {
                kept.push((queue.clone(), plain.clone()));
            }
        }
        assert!(kept.iter().all(|(queue, plain)| queue.iter().eq(plain.iter())));
    }
}
