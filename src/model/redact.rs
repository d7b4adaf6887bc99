//! Takes secrets out of texts: the values of this run, and whatever has the form of the usual ones.
//!
//! Everything foreign goes through here before an event is made of it, so that journal, screen and messages have nothing to
//! hide. All searches are linear in the text's length.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

use super::logtail::clean;
use super::secret::{REDACTED, Secret};

/// Words before a value that make it a secret one.
const WORDS: &str = r"password|passwd|passphrase|secret|token|credentials?|api[_-]?key|access[_-]?key|private[_-]?key|certificate[_-]?key|client-key-data";

/// A value: in quotes, or up to what ends a word in JSON, YAML and shell.
const VALUE: &str = r#"(?:"((?:[^"\\\n]|\\.)+)"|'([^'\n]+)'|([^\s"',;&{}\[\]()\\]+))"#;

/// Forms of which the groups of the expression are the secret part, or all of it where there is none.
static FORMS: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let forms = [
        format!(r#"(?i-u)(?:{WORDS})\\*["']?[ \t]{{0,9}}[:=][ \t]{{0,9}}\\*{VALUE}"#),
        format!(r"(?i-u)--[a-z0-9-]{{0,40}}(?:{WORDS})[ \t]+{VALUE}"),
        r#"(?i-u)authorization\\*["']?[ \t]{0,9}[:=][ \t]{0,9}\\*["']?([^\r\n"'\\]+)"#.to_owned(),
        r"(?i-u)\bbearer[ \t]+([a-z0-9._~+/=-]{8,})".to_owned(),
        // A JSON web token, as service accounts have it.
        r"(?-u)\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*".to_owned(),
        // The base64 of a private key's first line, as kubeconfig files and Secrets have it.
        r"(?-u)LS0tLS1CRUdJTi(?:BSU0EgU|BQUkl|BFQyBQ|BPUEVOU|BFTkNSW)[A-Za-z0-9+/=]*".to_owned(),
        // A password in an address.
        r"(?i-u)\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@]*:([^\s/@]+)@".to_owned(),
    ];
    forms.iter().filter_map(|form| Regex::new(form).ok()).collect()
});

/// A bootstrap token of kubeadm.
static BOOTSTRAP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?-u)\b[a-z0-9]{6}\.[a-z0-9]{16}\b").ok());

/// What `kubeadm token create` and `kubeadm certs certificate-key` print, each on a line of its own.
static ALONE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m-u)^[ \t]*([a-z0-9]{6}\.[a-z0-9]{16}|[0-9a-f]{64})[ \t]*\r?$").ok());

/// Where the value of a secret may follow.
static OPENING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(&format!("(?i-u){WORDS}|authorization|bearer|-----")).ok());

static KEY_BEGINS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----").ok());
static KEY_ENDS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----").ok());

/// Knows what has to be taken out of texts.
#[derive(Default)]
pub struct Redactor {
    values: Option<AhoCorasick>,
    /// What is looked for, to know whether a text ends in the midst of one.
    sought: Vec<Vec<u8>>,
}

impl Redactor {
    /// One that knows these values besides the usual forms.
    #[must_use]
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut sought: Vec<Vec<u8>> = secrets.into_iter().flat_map(|secret| faces(secret.expose())).collect();
        sought.retain(|face| face.len() >= Secret::LEAST);
        sought.sort();
        sought.dedup();
        Self { values: (!sought.is_empty()).then(|| AhoCorasick::new(&sought).ok()).flatten(), sought }
    }

    /// The text without secrets.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        without(text, &self.spans(text.as_bytes()))
    }

    /// What a job printed, without secrets: there, a key or a token may stand alone on its line.
    #[must_use]
    pub fn redact_output<'t>(&self, text: &'t str) -> Cow<'t, str> {
        without(text, &self.spans_of_output(text.as_bytes()))
    }

    /// A text from outside, fit to be kept: without secrets, and without what a terminal would obey.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        // What is between the letters of a secret hides it until it is gone.
        self.redact(&clean(&self.redact(text))).into_owned()
    }

    /// Whether one of the values of this run is in a text.
    #[must_use]
    pub fn knows(&self, text: &str) -> bool {
        self.values.as_ref().is_some_and(|values| values.is_match(text))
    }

    /// Where secrets stand in what a job printed: in order, without overlap.
    #[must_use]
    pub fn spans_of_output(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans = self.spans(text);
        spans.extend(
            ALONE.iter().flat_map(|form| form.captures_iter(text)).filter_map(|found| Some(found.get(1)?.range())),
        );
        merged(spans)
    }

    fn spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans: Vec<Range<usize>> = Vec::new();
        if let Some(values) = &self.values {
            spans.extend(values.find_overlapping_iter(text).map(|found| found.range()));
        }
        for form in &*FORMS {
            for found in form.captures_iter(text) {
                let part = found.iter().skip(1).flatten().next().or_else(|| found.get(0));
                spans.extend(part.filter(|part| !is_plain(part.as_bytes())).map(|part| part.range()));
            }
        }
        let tokens = BOOTSTRAP.iter().flat_map(|form| form.find_iter(text));
        spans.extend(tokens.filter(|found| is_bootstrap(text, &found.range())).map(|found| found.range()));
        spans.extend(keys(text).map(|(span, _)| span));
        merged(spans)
    }

    /// How much of a text of which more will come is settled: in the rest a secret may have begun whose end is not here yet.
    #[must_use]
    pub fn settled(&self, text: &[u8]) -> usize {
        let line = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let last = &text[line..];
        let word = last.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
        // The dots that a script waits with end a word.
        let dots = last.windows(2).rposition(|pair| pair == b"..").map_or(0, |at| at + 2);
        let mut settled = line + word.max(dots);
        let opening = OPENING.iter().find_map(|form| form.find(last)).map(|found| line + found.start());
        settled = settled.min(opening.unwrap_or(settled));
        settled = settled.min(keys(text).find(|(_, whole)| !whole).map_or(settled, |(span, _)| span.start));
        for face in &self.sought {
            let most = face.len().min(last.len() + 1) - 1;
            let begun = (1..=most).rev().find(|length| last.ends_with(&face[..*length]));
            settled = settled.min(begun.map_or(settled, |length| text.len() - length));
        }
        // Of what is here whole nothing may be torn either.
        let torn = self.spans_of_output(text).into_iter().find(|span| span.contains(&settled));
        torn.map_or(settled, |span| span.start)
    }
}

/// Private keys, and whether their end is here. One without an end goes as far as what could be its body.
fn keys(text: &[u8]) -> impl Iterator<Item = (Range<usize>, bool)> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let begin = KEY_BEGINS.as_ref()?.find_at(text, from)?;
        let end = KEY_ENDS.as_ref()?.find_at(text, begin.end()).map(|found| found.end());
        let body = |byte: &u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=\\:,-".contains(byte);
        let open = || {
            begin.end() + text[begin.end()..].iter().position(|byte| !body(byte)).unwrap_or(text.len() - begin.end())
        };
        from = end.unwrap_or_else(open);
        Some((begin.start()..from, end.is_some()))
    })
}

/// Letters and digits that could be a token of kubeadm are one only where they stand by themselves; of one without any digit
/// its word must tell.
fn is_bootstrap(text: &[u8], span: &Range<usize>) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| b".-/".contains(byte));
    let before = span.start.checked_sub(1).and_then(|at| text.get(at));
    let ends_sentence = text.get(span.end) == Some(&b'.') && text.get(span.end + 1).is_none_or(u8::is_ascii_whitespace);
    !joins(before) && (ends_sentence || !joins(text.get(span.end))) && text[span.clone()].iter().any(u8::is_ascii_digit)
}

/// Whether a value after a secret's word is none: a variable that will hold it, a path to it, a mere yes or no.
fn is_plain(value: &[u8]) -> bool {
    let path = value.strip_prefix(b"/").is_some_and(|rest| {
        let first = rest.iter().position(|byte| *byte == b'/').unwrap_or(0);
        first > 0 && rest.iter().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
    });
    path || value.starts_with(b"$")
        || value.starts_with(REDACTED.as_bytes())
        || [&b"true"[..], b"false", b"null", b"yes", b"no", b"none", b"-", b"="].contains(&value)
}

fn merged(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.retain(|span| !span.is_empty());
    spans.sort_by_key(|span| span.start);
    let mut all: Vec<Range<usize>> = Vec::with_capacity(spans.len());
    for span in spans {
        match all.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    all
}

/// A text with a mark for each span. Spans end where characters do: what is looked for is whole characters.
fn without<'t>(text: &'t str, spans: &[Range<usize>]) -> Cow<'t, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for span in spans {
        out.push_str(text.get(from..span.start).unwrap_or_default());
        out.push_str(REDACTED);
        from = span.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    Cow::Owned(out)
}

/// The ways in which a value may come back: as it is, line by line, as `sh -x` and JSON quote it, in base64, in an address.
fn faces(value: &str) -> Vec<Vec<u8>> {
    let value = value.trim_end_matches(['\n', '\r']);
    let mut faces = vec![value.to_owned(), base64(value.as_bytes()), base64(format!("{value}\n").as_bytes())];
    // A line of a few letters, such as a bracket, is no secret by itself.
    faces.extend(value.lines().map(str::trim).filter(|line| line.len() >= 2 * Secret::LEAST).map(str::to_owned));
    faces.push(value.replace('\'', "'\\''"));
    faces.push(value.replace('\'', "'\"'\"'"));
    faces.push(serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned());
    faces.push(in_an_address(value));
    faces.into_iter().map(String::into_bytes).collect()
}

/// Percent-encoded, but for what RFC 3986 never encodes.
fn in_an_address(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(one).collect()
}

/// Without the padding, which some leave out.
fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests;
