//! Settings of mail, and letters at their limits.

use super::*;

fn config(settings: &str) -> Config {
    let text = format!("name='mail'\nkind='mail'\n{settings}");
    toml::from_str(&text).unwrap()
}

const SOUND: &str = "url='smtp://h'\nfrom='w@h.example'\nto=['d@h.example']\n";

#[track_caller]
fn check(settings: &str, want: &[&str]) {
    let faults = Mail::faults(&config(settings));
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), want.len(), "{told:#?}");
    for (told, want) in told.iter().zip(want) {
        assert!(told.contains(want), "{told} does not hold {want}");
    }
}

#[test]
fn the_kind_of_an_address_says_how_it_is_kept_from_others() {
    let server = |url: &str| super::server(&config(&format!("url='{url}'"))).unwrap();
    let want = |host: &str, port, secrecy| Server { host: host.to_owned(), port, secrecy };
    assert_eq!(server("smtp://h.example"), want("h.example", 587, Secrecy::StartTls));
    assert_eq!(server("smtps://h.example"), want("h.example", 465, Secrecy::Tls));
    assert_eq!(server("smtp+plain://[::1]:2525"), want("::1", 2_525, Secrecy::None));
    assert_eq!(server("smtp+plain://localhost"), want("localhost", 25, Secrecy::None));
}

#[test]
fn plain_text_goes_to_this_machine_only() {
    for host in ["h.example", "192.0.2.1", "localhost.example", "0.0.0.0"] {
        let settings = SOUND.replace("smtp://h", &format!("smtp+plain://{host}"));
        check(&settings, &["anybody could read it"]);
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    check(SOUND, &[]);
    check("", &["url of channel `mail`: there is none", "from of channel `mail`: there is none"]);
    let text = "url='http://h'\nfrom='nobody'\nuser='weir'\ntemplate='/nowhere'";
    check(text, &["another kind", "from of channel", "user without secret_file", "/nowhere"]);
    check(&SOUND.replace("smtp://h", "smtp://u:p@h"), &["user and secret_file"]);
    check(&SOUND.replace("['d@h.example']", "[]"), &["to of channel `mail`: 0 addresses"]);
    check(&SOUND.replace("d@h.example", "d@h.example>\\nRCPT TO:<e@h.example"), &["to of channel"]);
    check(&SOUND.replace("d@h", "值班@h"), &["not in ASCII"]);
    check(&format!("{SOUND}ca_file='/nowhere'"), &["ca_file `/nowhere`"]);
    let many = |count: usize| format!("{:?}", vec!["d@h.example"; count]);
    check(&SOUND.replace("['d@h.example']", &many(RECIPIENTS_MAX)), &[]);
    check(&SOUND.replace("['d@h.example']", &many(51)), &["to of channel `mail`: 51 addresses"]);
}

#[test]
fn a_password_needs_its_user_and_is_not_shown() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, "s3cret-of-mail\n").unwrap();
    let secret = format!("{SOUND}secret_file='{}'\n", file.display());
    check(&secret, &["a password without user"]);
    let mail = Mail::new(&config(&format!("{secret}user='weir'"))).unwrap();
    assert_eq!(mail.shown("no s3cret-of-mail here\r\n"), "no … here");
    // As AUTH PLAIN and AUTH LOGIN send it.
    for sent in ["\0weir\0s3cret-of-mail", "s3cret-of-mail"] {
        let quoted = format!("500 not understood: AUTH {}", STANDARD.encode(sent));
        assert_eq!(mail.shown(&quoted), "500 not understood: AUTH …");
    }
    assert!(!format!("{mail:?}").contains("s3cret"));
}

/// Writes a mail in one language.
fn written(id: &str, body: &Value) -> String {
    let mail = Mail::new(&config(&format!("{SOUND}language='en'"))).unwrap();
    let letter = mail.writer.write(id, body, Timestamp(0)).unwrap();
    String::from_utf8(letter.formatted()).unwrap()
}

fn notice(summary: &str) -> Value {
    let alert = serde_json::json!({
        "status": "firing", "fingerprint": "07", "labels": {},
        "annotations": { "summary_en": summary },
    });
    serde_json::json!({ "groupKey": "weir/07", "status": "firing", "alerts": [alert] })
}

#[test]
fn a_mail_without_end_has_one() {
    let mail = written(&"7".repeat(10_000), &notice(&"word ".repeat(1 << 20)));
    // Text in quoted-printable is a little longer; HTML of that length is left out.
    assert!(mail.len() < 400 << 10, "{}", mail.len());
    assert!(!mail.contains("text/html"));
    assert!(mail.lines().all(|line| line.len() <= 998));
    let id = mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap();
    assert!(id.len() < 120, "{id}");
    let short = written("7-fired-1", &notice("word"));
    assert!(short.contains("text/html") && short.contains("Subject: [alert] word\r\n"), "{short}");
}

#[test]
fn ids_that_begin_alike_are_told_apart() {
    let (one, other) = ("7".repeat(100), "7".repeat(101));
    let id = |id: &str| {
        let mail = written(id, &notice("word"));
        mail.lines().find(|line| line.starts_with("Message-ID: ")).unwrap().to_owned()
    };
    assert_ne!(id(&one), id(&other));
    assert_eq!(id(&one), id(&one));
}

#[test]
fn a_notice_in_which_nothing_stands_is_a_mail_all_the_same() {
    for body in [Value::Null, serde_json::json!({}), serde_json::json!({ "alerts": "none" })] {
        assert!(written("", &body).contains("Auto-Submitted: auto-generated\r\n"));
    }
}
