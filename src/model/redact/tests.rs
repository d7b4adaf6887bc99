use proptest::prelude::*;

use super::*;

const TOKEN: &str = "abcdef.0123456789abcdef";
const HEX: &str = "f8902e114ef118304e561c3ecd4d0b543adc226b7a07f675f56564185ffe0c07";
const PEM: &str =
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEAunlikely+base64/body==\n-----END RSA PRIVATE KEY-----";

fn redactor() -> Redactor {
    let values = ["hunter2!'s", "two words", "käse-und-brot", "first-line-of-it\nsecond-line-of-it\n"].map(Secret::new);
    Redactor::new(&values)
}

#[test]
fn every_form_compiles() {
    assert_eq!(FORMS.len(), 7);
    assert!(BOOTSTRAP.is_some() && ALONE.is_some() && OPENING.is_some() && KEY_BEGINS.is_some() && KEY_ENDS.is_some());
}

#[test]
fn usual_secrets_are_known_by_their_form() {
    let none = Redactor::default();
    for (text, expected) in [
        (format!("kubeadm join 10.0.0.1:6443 --token {TOKEN} \\"), "kubeadm join 10.0.0.1:6443 --token ‹redacted› \\"),
        (format!("token {TOKEN}."), "token ‹redacted›."),
        (format!("--control-plane --certificate-key {HEX}"), "--control-plane --certificate-key ‹redacted›"),
        (format!("certificateKey: {HEX}"), "certificateKey: ‹redacted›"),
        ("Authorization: Basic Zm9vOmJhcg==\r\nnext".into(), "Authorization: ‹redacted›\r\nnext"),
        ("curl -H 'Authorization: Bearer abcdefgh'".into(), "curl -H 'Authorization: ‹redacted›'"),
        ("bearer abcdefgh12".into(), "bearer ‹redacted›"),
        (format!("key: |\n  {PEM}\nrest"), "key: |\n  ‹redacted›\nrest"),
        ("client-key-data: LS0tLS1abc=".into(), "client-key-data: ‹redacted›"),
        ("x LS0tLS1CRUdJTiBSU0EgUFJJVkFURQ== y".into(), "x ‹redacted› y"),
        ("ETCD_ROOT_PASSWORD=hush LANG=C".into(), "ETCD_ROOT_PASSWORD=‹redacted› LANG=C"),
        (r#"{"token": "a b\"c", "id":"x"}"#.into(), r#"{"token": "‹redacted›", "id":"x"}"#),
        ("https://me:hush@registry/v2".into(), "https://me:‹redacted›@registry/v2"),
        ("discovery-token: abc".into(), "discovery-token: ‹redacted›"),
    ] {
        assert_eq!(none.redact(&text), expected);
        assert_eq!(none.redact(&none.redact(&text)), expected, "once more changes nothing");
    }
    assert_eq!(none.redact_output(&format!("key:\n{HEX}\n")), "key:\n‹redacted›\n");
}

#[test]
fn what_only_looks_like_one_stays() {
    let none = Redactor::default();
    for text in [
        "node1.cluster.example.org is ready",
        "etcd01.productioncluster",
        &format!("{HEX}  member.db"),
        &format!("--discovery-token-ca-cert-hash sha256:{HEX}"),
        r#"{"automountServiceAccountToken":true,"secret":{"secretName":"x"}}"#,
        "kubeadm join --token \"$join_token\"",
        "private-key: /etc/kubernetes/pki/ca.key",
        "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----",
        "https://10.0.0.1:2379/health",
        "Password: ",
    ] {
        assert_eq!(none.redact(text), text);
    }
}

#[test]
fn a_value_of_this_run_is_known_however_it_comes_back() {
    let redactor = redactor();
    for text in [
        "hunter2!'s",
        r"hunter2!'\''s",
        r#"hunter2!'"'"'s"#,
        "hunter2%21%27s",
        &base64(b"hunter2!'s"),
        &base64(b"hunter2!'s\n"),
        "  second-line-of-it",
        "käse-und-brot",
    ] {
        assert_eq!(redactor.redact(&format!("<{text}>")).replace(' ', ""), "<‹redacted›>", "{text}");
    }
    assert!(redactor.knows("x two words y") && !redactor.knows("two\nwords"));
    assert_eq!(redactor.clean("hun\u{1b}[1mter2!'s"), "‹redacted›", "colours do not hide it");
}

#[test]
fn a_form_is_found_in_time_whatever_the_text_is() {
    for piece in ["-----BEGIN RSA PRIVATE KEY-----", "token=", "a://b:", "\"\\", "authorization: ", "0", "[", "eyJ"] {
        let text = piece.repeat((1 << 20) / piece.len());
        let _ = Redactor::default().redact_output(&text);
        let _ = redactor().settled(text.as_bytes());
    }
}

/// What comes through where a text arrives in these pieces.
fn in_pieces(redactor: &Redactor, text: &[u8], cuts: &[usize]) -> String {
    let mut out = String::new();
    let mut pending: Vec<u8> = Vec::new();
    let mut release = |pending: &mut Vec<u8>, settled: usize| {
        let piece: Vec<u8> = pending.drain(..settled).collect();
        out.push_str(&redactor.redact_output(&String::from_utf8_lossy(&piece)));
    };
    let mut from = 0;
    for cut in cuts.iter().map(|cut| cut % (text.len() + 1)).chain([text.len()]) {
        let cut = cut.max(from);
        pending.extend(&text[from..cut]);
        from = cut;
        let settled = redactor.settled(&pending);
        release(&mut pending, settled);
    }
    let rest = pending.len();
    release(&mut pending, rest);
    out
}

#[test]
fn waiting_dots_and_whole_words_are_not_held_back() {
    let redactor = redactor();
    for (text, settled) in [
        ("a line\n", 7),
        ("one word", 4),
        ("Downloading....", 15),
        ("50%\r", 4),
        ("x tw", 2),
        ("it has two w", 7),
        ("\ntoken: a b", 1),
        ("say -----BEG", 4),
        ("ok\n-----BEGIN RSA PRIVATE KEY-----\nMII\n", 3),
    ] {
        assert_eq!(redactor.settled(text.as_bytes()), settled, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_secret_that_comes_in_pieces_is_found(cuts in prop::collection::vec(0_usize..400, 0..9)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let secrets = [TOKEN, HEX, PEM, "two words", "second-line-of-it", "hush", "Zm9vOmJhcg=="];
        let text = format!(
            "a\ntoken {TOKEN} b\n{HEX}\n{PEM}\nit is two words\n second-line-of-it\nPASSWORD = hush\nAuthorization: Basic Zm9vOmJhcg==\nend"
        );
        let out = in_pieces(&redactor(), text.as_bytes(), &cuts);
        for secret in secrets {
            prop_assert!(!out.contains(secret), "{secret} in {out}");
        }
        prop_assert!(!out.contains("MIIE"), "{out}");
        prop_assert!(out.starts_with("a\n") && out.ends_with("\nend"), "{out}");
    }
}
