use std::rc::Rc;

use html5ever::tendril::TendrilSink;
use markup5ever_rcdom::{NodeData, RcDom};
use proptest::prelude::*;

use super::*;

/// The page with `^` where the script belongs.
fn marked(page: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::default();
    let place = scanner.feed(page).unwrap_or_else(|| scanner.finish());
    let (before, after) = page.split_at(usize::try_from(place.offset).unwrap());
    [before, &encode("^", place.encoding), after].concat()
}

/// `marked` holds the place; without it, it is the page.
#[track_caller]
fn check(expected: &str) {
    let page = expected.replacen('^', "", 1);
    assert_eq!(String::from_utf8(marked(page.as_bytes())).unwrap(), expected);
}

#[test]
fn the_script_follows_the_head_tag() {
    for page in [
        "<!doctype html><html><head>^<title>t</title></head>",
        "<!DOCTYPE HTML>\n<HTML lang=en>\r\n\t<HEAD\n>^\n",
        "<head>^",
        "<head/>^",
        "<head a=1 b = 'x>y' c=\"<head>\" d>^</head>",
        "<head a='\"' b=\"'\">^",
        "<head =>^",
        "<head a=>^",
        "<head a=b/>^>",
        "<head a='b'c>^",
        "<html data-x='<head>'><head>^",
        "<!-- <head> --><head>^",
        "<!--><head>^",
        "<!---><head>^",
        "<!----!><head>^",
        "<!-- <!-- --><head>^",
        "<!--a--!b--->\n<head>^",
        "<!><head>^",
        "<!-><head>^",
        "<![CDATA[ x><head>^",
        "<?xml version=\"1.0\"?><!doctype html><head>^",
        "<!doctype html PUBLIC \"-//W3C//DTD\" \"http://x/\"><head>^<head>",
        "<html><html><!doctype html><head>^",
        "</p><head>^",
        "</><head>^",
        "</ head><head>^",
        "<html/><head>^<script>'<head>'</script>",
    ] {
        check(page);
    }
}

#[test]
fn without_a_head_tag_it_follows_the_doctype() {
    for page in [
        "<!doctype html>^",
        "<!doctype html>^<header>",
        "<!doctype html>^<headers><head>",
        "<!doctype html>^<title>t</title><head>",
        "<!doctype html>^ text <head>",
        "<!doctype html>^<body><head>",
        "<!doctype html>^<script>'<head>'</script><head>",
        "<!-- c --><!doctype html>^\n<html><body>",
        "<!doctype html>^<!doctype html><p>",
        "<!doctype html>^<html><head",
        "<!doctype html>^<html><!-- <head>",
        "<!doctype html>^<head a='>",
        "<!doctype html>^</head><head>",
        "<!doctype html>^</body>",
        "<!doctype html>^<\u{e9}><head>",
        "<!doctype html>^< head>",
        "<!doctype>^x",
        "<!doctype \"a>^\"<head>",
    ] {
        check(page);
    }
}

#[test]
fn without_either_it_comes_first() {
    for page in
        ["^", "^<p>hello", "^hello <head>", "^<!doc html>x", "^<!doctype", "^<html", "^\u{0}<head>", "^é<head>", "^ \n"]
    {
        check(page);
    }
}

#[test]
fn byte_order_marks_come_before_the_script_and_tell_how_to_write_it() {
    check("\u{feff}<!doctype html><head>^x");
    check("\u{feff}^text");
    check("\u{feff}^");
    for (mark, encoding) in [([0xFF, 0xFE], Encoding::Utf16Le), ([0xFE, 0xFF], Encoding::Utf16Be)] {
        for expected in
            ["<!doctype html>\n<html><head>^<title>é😀</title>", "^text", "<!doctype html>^<body>", "^\u{3c00}", "^"]
        {
            let bytes = |text: &str| [&mark[..], &encode(text, encoding)].concat();
            assert_eq!(marked(&bytes(&expected.replacen('^', "", 1))), bytes(expected), "{expected}");
        }
    }
    // No mark after all, or half a unit at the end.
    assert_eq!(marked(&[0xEF, 0xBB]), [b'^', 0xEF, 0xBB]);
    assert_eq!(marked(&[0xFF]), [b'^', 0xFF]);
    assert_eq!(marked(&[0xEF, 0xBB, b'<']), [b'^', 0xEF, 0xBB, b'<']);
    assert_eq!(marked(&[0xFF, 0xFE, b'x']), [0xFF, 0xFE, b'^', 0, b'x']);
}

#[test]
fn a_prelude_of_any_length_is_searched_and_none_of_it_kept() {
    let mut scanner = Scanner::default();
    assert_eq!(scanner.feed(b"<!doctype html><!--"), None);
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..8 {
        assert_eq!(scanner.feed(&piece), None);
    }
    let place = Place { offset: (8 << 20) + 28, encoding: Encoding::AsciiCompatible };
    assert_eq!(scanner.feed(b"--><head>rest"), Some(place));
}

/// Text of every script element that a browser's parser finds, in order.
fn scripts(page: &[u8]) -> Vec<String> {
    let dom = html5ever::parse_document(RcDom::default(), Default::default()).from_utf8().one(page);
    let mut found = Vec::new();
    let mut pending = vec![Rc::clone(&dom.document)];
    while let Some(node) = pending.pop() {
        if let NodeData::Element { name, .. } = &node.data
            && &*name.local == "script"
        {
            let children = node.children.borrow();
            found.extend(children.iter().filter_map(|child| match &child.data {
                NodeData::Text { contents } => Some(contents.borrow().to_string()),
                _ => None,
            }));
        }
        pending.extend(node.children.borrow().iter().rev().cloned());
    }
    found
}

/// The page with a script in its place.
fn injected(page: &[u8]) -> Vec<u8> {
    let mut scanner = Scanner::default();
    let place = scanner.feed(page).unwrap_or_else(|| scanner.finish());
    let (before, after) = page.split_at(usize::try_from(place.offset).unwrap());
    [before, &encode("<script>injected</script>", place.encoding), after].concat()
}

fn texts() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "<!doctype html>",
        "<html>",
        "<html a='>'>",
        "<head",
        ">",
        "<head>",
        "<head x=\"1\">",
        "</head>",
        "<header>",
        "<body>",
        "<!-- <head> -->",
        "<!---->",
        "<!-->",
        "<!--x--!>",
        "<!--",
        "-->",
        "--",
        "!",
        "'",
        "\"",
        "=",
        " ",
        "a",
        "/",
        "<",
        "</",
        "</p>",
        "<title>t</title>",
        "<p>",
        "<?pi?>",
        "<![CDATA[",
        "</html>",
        "\u{feff}",
        "é",
        "^",
        "\n",
    ]);
    prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
}

fn pages() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        texts().prop_map(String::into_bytes),
        texts().prop_map(|text| [&[0xFF, 0xFE][..], &encode(&text, Encoding::Utf16Le)].concat()),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #[test]
    fn the_pieces_a_page_comes_in_do_not_matter(page in pages(), cuts in prop::collection::vec(0usize..60, 0..6)) {
        let mut whole = Scanner::default();
        let expected = whole.feed(&page).unwrap_or_else(|| whole.finish());
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(page.len())).chain([0, page.len()]).collect();
        cuts.sort_unstable();
        let mut scanner = Scanner::default();
        let found = cuts.windows(2).find_map(|cut| scanner.feed(&page[cut[0]..cut[1]]));
        prop_assert_eq!(found.unwrap_or_else(|| scanner.finish()), expected);
        prop_assert!(expected.offset <= page.len() as u64);
    }

    #[test]
    fn a_browser_finds_exactly_one_script_and_runs_it_first(page in texts()) {
        prop_assert_eq!(scripts(&injected(page.as_bytes())), ["injected"]);
    }
}
