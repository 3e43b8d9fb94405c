//! Accounts as their file has them, and changes of it.

use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("users.toml");
    (folder, path)
}

#[track_caller]
fn refused(text: &str, wanted: &str) {
    let (_folder, path) = folder();
    fs::write(&path, text).unwrap();
    let error = Accounts::read(&path).unwrap_err();
    assert!(error.contains(wanted), "{error} has no {wanted}");
}

#[test]
fn an_account_is_added_changed_and_removed() {
    let (folder, path) = folder();
    Accounts::change(&path, |all| all.add("li.na", Role::Operate, Some("willow-river"))).unwrap();
    Accounts::change(&path, |all| all.add("王伟", Role::View, None)).unwrap();
    let all = Accounts::read(&path).unwrap();
    let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["li.na", "王伟"]);
    let (first, second) = (all.of("li.na").unwrap(), all.of("王伟").unwrap());
    assert!(first.has_password() && !second.has_password());
    assert!(password::is_of(first.hash(), "willow-river"));
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");

    Accounts::change(&path, |all| all.set_password("li.na", "another-river")).unwrap();
    Accounts::change(&path, |all| all.set_role("li.na", Role::Admin)).unwrap();
    Accounts::change(&path, |all| all.remove("王伟")).unwrap();
    let later = Accounts::read(&path).unwrap();
    assert_eq!(later.of("li.na").unwrap().role, Role::Admin);
    assert_ne!(later.of("li.na").unwrap().stamp(), first.stamp(), "its sessions end");
    assert!(later.of("王伟").is_none());
}

#[test]
fn what_can_not_be_done_is_said_and_changes_nothing() {
    let (_folder, path) = folder();
    let add = |name: &str, secret: &str| {
        Accounts::change(&path, |all| all.add(name, Role::View, Some(secret))).unwrap_err()
    };
    assert!(add("li na", "willow-river").contains("expected letters"));
    assert!(add("li\u{202e}na", "willow-river").contains("expected letters"));
    assert!(add("", "willow-river").contains("1 to 64 bytes"));
    assert!(add("li.na", "willow").contains("at least 8 characters"));
    assert!(!path.exists());
    Accounts::change(&path, |all| all.add("li.na", Role::View, None)).unwrap();
    assert!(add("li.na", "willow-river").contains("is there already"));
    let gone = Accounts::change(&path, |all| all.remove("lina")).unwrap_err();
    assert!(gone.contains("no user `lina`"), "{gone}");
}

#[test]
fn a_token_is_shown_once_and_told_by_its_digest() {
    let (_folder, path) = folder();
    Accounts::change(&path, |all| all.add("grafana", Role::View, None)).unwrap();
    let token = Accounts::change(&path, |all| all.add_token("grafana", "board")).unwrap();
    assert_eq!(token.len(), TOKEN_BEGINS.len() + 64);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("board") && !text.contains(&token[TOKEN_BEGINS.len()..]));
    let all = Accounts::read(&path).unwrap();
    assert_eq!(all.of_token(&token).unwrap().name, "grafana");
    for wrong in ["", "weir_", &token[1..], &token[..60], &token.to_uppercase()] {
        assert!(all.of_token(wrong).is_none(), "{wrong}");
    }
    let again = Accounts::change(&path, |all| all.add_token("grafana", "board")).unwrap_err();
    assert!(again.contains("already"), "{again}");
    Accounts::change(&path, |all| all.remove_token("grafana", "board")).unwrap();
    assert!(Accounts::read(&path).unwrap().of_token(&token).is_none());
}

#[test]
fn so_many_accounts_and_tokens_there_are_and_no_more() {
    let mut all = Accounts::default();
    for number in 0..USERS_MAX {
        all.add(&format!("user-{number}"), Role::View, None).unwrap();
    }
    assert!(all.add("one-more", Role::View, None).unwrap_err().contains("which is the most"));
    for number in 0..TOKENS_MAX {
        all.add_token("user-7", &format!("token-{number}")).unwrap();
    }
    assert!(all.add_token("user-7", "one-more").unwrap_err().contains("remove one first"));
    assert!(all.faults().is_empty());
    all.users.push(Account { name: "by-hand".to_owned(), ..all.users[0].clone() });
    assert!(all.faults()[0].contains("201 users"));
}

#[test]
fn a_faulty_file_is_refused_with_its_line_and_no_secret() {
    refused("[[user]]\nname = 'a'\nrole = 'boss'\n", "line 3");
    refused("[[user]]\nname = 'a'\nrole = 'view'\nsecret = 'x'\n", "unknown field");
    refused("[[user]]\nname = 'a b'\nrole = 'view'\n", "user `a b`: expected letters");
    let twice = "[[user]]\nname = 'a'\nrole = 'view'\n".repeat(2);
    refused(&twice, "user `a` twice");
    let plain = "[[user]]\nname = 'a'\nrole = 'view'\npassword = 'willow-river'\n";
    refused(plain, "password of user `a`: no hash of argon2id");
    let (_folder, path) = folder();
    fs::write(&path, plain).unwrap();
    assert!(!Accounts::read(&path).unwrap_err().contains("willow"));
    let token = "[[user]]\nname = 'a'\nrole = 'view'\n[[user.token]]\nlabel = 'b'\ndigest = 'c'\n";
    refused(token, "64 hexadecimal digits");
    refused(&"#".repeat(1 << 20 | 1), "more than 1 MiB");
}

#[test]
fn a_change_of_the_file_is_seen_after_a_second_and_a_faulty_one_changes_nothing() {
    let (_folder, path) = folder();
    let (roll, start) = (Roll::new(Some(path.clone())), Instant::now());
    assert!(roll.at(start).is_empty());
    Accounts::change(&path, |all| all.add("li.na", Role::View, None)).unwrap();
    assert!(roll.at(start + LOOK_EVERY / 2).is_empty(), "it is looked at once a second");
    assert_eq!(roll.at(start + LOOK_EVERY).of("li.na").unwrap().role, Role::View);
    fs::write(&path, "[[user]]\n").unwrap();
    assert!(roll.at(start + LOOK_EVERY * 2).of("li.na").is_some());
    fs::remove_file(&path).unwrap();
    assert!(roll.at(start + LOOK_EVERY * 3).is_empty());
}
