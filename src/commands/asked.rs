//! What connections ask the operator for, until it is answered.

use std::collections::VecDeque;

use color_eyre::eyre::Result;
use tokio::sync::mpsc;

use crate::hosts::{Links, Question};
use crate::model::prompt::{Prompt, Reply};

/// The questions, the first one first.
#[derive(Default)]
pub(super) struct Asked {
    questions: Option<mpsc::Receiver<Question>>,
    open: VecDeque<Question>,
}

impl Asked {
    /// Connections that may ask, and what they ask.
    pub(super) fn links() -> Result<(Links, Self)> {
        let (links, questions) = Links::asking(std::env::current_exe()?)?;
        Ok((links, Self { questions: Some(questions), open: VecDeque::new() }))
    }

    /// Waits for a question. May be dropped and called again.
    pub(super) async fn more(&mut self) {
        let question = match &mut self.questions {
            Some(questions) => questions.recv().await,
            None => None,
        };
        match question {
            Some(question) => self.open.push_back(question),
            None => std::future::pending().await,
        }
    }

    pub(super) fn first(&self) -> Option<&Prompt> {
        self.open.front().map(|question| &question.prompt)
    }

    pub(super) fn answer(&mut self, reply: Reply) {
        if let Some(question) = self.open.pop_front() {
            // Whoever asked may have given up: then there is nothing to answer.
            let _ = question.reply.send(reply);
        }
    }
}
