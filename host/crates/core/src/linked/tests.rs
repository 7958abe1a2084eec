use std::time::Instant;

use proptest::prelude::*;

use super::*;

const HUB: &str = "hub.test:7860";

fn read(path: &str, text: &str) -> Linked {
    let mut linked = Linked::default();
    linked.read(path, text, HUB);
    linked
}

fn models(path: &str, text: &str) -> Vec<String> {
    let linked = read(path, text);
    assert!(linked.datasets.is_empty(), "{text}: {linked:?}");
    linked.models
}

#[test]
fn links_to_hubs_are_found_wherever_they_stand() {
    for (link, models, datasets) in [
        ("https://huggingface.co/openai/whisper-tiny", vec!["openai/whisper-tiny"], vec![]),
        ("<a href=\"https://hf.co/a.b/c_d\">", vec!["a.b/c_d"], vec![]),
        ("see http://hub.test:7860/ada/model, or", vec!["ada/model"], vec![]),
        ("see https://huggingface.co/ada/model.", vec!["ada/model"], vec![]),
        ("https://huggingface.co/ada/model/resolve/main/x.bin", vec!["ada/model"], vec![]),
        ("https://huggingface.co/datasets/ada/data/tree/main", vec![], vec!["ada/data"]),
        ("https://huggingface.co/datasets/squad/viewer", vec![], vec!["squad"]),
        ("https://huggingface.co/api/models/ada/model", vec!["ada/model"], vec![]),
        ("https://huggingface.co/api/datasets/ada/data", vec![], vec!["ada/data"]),
        ("hf://ada/model/x.bin hf://datasets/ada/data/x.csv", vec!["ada/model"], vec!["ada/data"]),
        ("https://huggingface.co/spaces/ada/app https://huggingface.co/docs/hub https://hf.co/ada", vec![], vec![]),
        ("https://huggingface.co.evil.test/a/b https://other.test/a/b ftp://hf.co/a/b", vec![], vec![]),
        ("https://huggingface.co/ada/ https://huggingface.co/-a/b https://hf.co/a--b/c", vec![], vec![]),
        ("https://hub.test/ada/model", vec![], vec![]),
    ] {
        for path in ["app.py", "setup.ini", "index.html"] {
            let linked = read(path, &format!("# {link}"));
            assert_eq!((linked.models, linked.datasets), (owned(&models), owned(&datasets)), "{path}: {link}");
        }
    }
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn calls_that_load_by_an_id_are_found() {
    for call in [
        "AutoModel.from_pretrained('a/m')",
        "AutoModel.from_pretrained(\n    \"a/m\",  # the model\n    torch_dtype=torch.float16)",
        "m = X.from_pretrained(pretrained_model_name_or_path=\"a/m\")",
        "pipeline('text-generation', 'a/m')",
        "pipeline('text-generation', model=r'a/m', device=devices[0])",
        "pipeline(model=\"a/m\")",
        "hf_hub_download(repo_id='a/m', filename='x')",
        "snapshot_download('a/m', repo_type=\"model\")",
        "gr.load('models/a/m')",
        "gr.Interface.load(name=\"huggingface/a/m\")",
        "gr.load('a/m', src='models')",
        "InferenceClient('a/m')",
        "MODEL = 'a/m'\nX.from_pretrained(MODEL)",
        "def f():\n    return pipeline('x', model=name)\nname = '''a/m'''",
        "print(f(pipeline('x', [1, (2)], model=\"a/m\")))",
    ] {
        assert_eq!(models("app.py", call), ["a/m"], "{call}");
    }
    let script = "<script type=module>const p = await pipeline('x', `a/m`); // don't</script>";
    assert_eq!(models("index.html", script), ["a/m"]);
    let data = "load_dataset('a/d')\nload_dataset(path=\"a/e\")\nhf_hub_download('a/f', 'x', repo_type='dataset')";
    assert_eq!(read("app.py", data), Linked { models: vec![], datasets: owned(&["a/d", "a/e", "a/f"]) });
}

#[test]
fn what_is_no_id_and_what_loads_nothing_is_left_out() {
    for text in [
        "X.from_pretrained('./local/model')",
        "X.from_pretrained('checkpoint')",
        "X.from_pretrained('models/best.pt')",
        "X.from_pretrained('a/m' + suffix)",
        "X.from_pretrained(f'a/{name}')",
        "X.from_pretrained(unknown)",
        "pipeline('a/m')",
        "json.load('models/a/m')",
        "load('models/a/m')",
        "gr.load('spaces/a/m')",
        "gr.load('a/m', src='spaces')",
        "snapshot_download('a/m', repo_type='space')",
        "# X.from_pretrained('a/m')",
        "\"X.from_pretrained('a/m')\"",
        "open('a/m')",
        "f(model='a/m')\nX.from_pretrained(model)",
        "X.from_pretrained('a/m'",
    ] {
        assert_eq!(models("app.py", text), Vec::<String>::new(), "{text}");
    }
    for path in ["app.js", "notes.txt", "py", "README.md"] {
        assert!(!is_read(path, 1) && read(path, "X.from_pretrained('a/m')").is_empty(), "{path}");
    }
    assert!(is_read("A/B.PY", MAX_FILE) && !is_read("a.py", MAX_FILE + 1));
}

#[test]
fn settings_name_what_their_keys_say() {
    let text =
        "[a/b]\n; model = a/x\nmodel_id = a/m\nModels: \"a/n\", 'a/o'\ndatasets=a/d\npath = a/p\nmodel = a/m.bin\n";
    assert_eq!(read("setup.ini", text), Linked { models: owned(&["a/m", "a/n", "a/o"]), datasets: owned(&["a/d"]) });
}

#[test]
fn each_id_is_named_once_and_there_is_an_end_to_them() {
    let text: String = (0..MAX_IDS + 9).map(|n| format!("https://hf.co/a/m{n} https://hf.co/a/m0\n")).collect();
    let found = models("a.html", &text);
    assert_eq!((found.len(), found[1].as_str()), (MAX_IDS, "a/m1"));
}

#[test]
fn a_front_matter_that_lists_a_kind_is_believed() {
    let found = Linked { models: owned(&["a/m"]), datasets: owned(&["a/d"]) };
    let with = |card: &str| found.with_card(&serde_json::from_str(card).unwrap());
    assert_eq!(with("{}"), found);
    assert_eq!(with(r#"{"models": ["b/m"]}"#), Linked { models: owned(&["b/m"]), ..found.clone() });
    assert_eq!(with(r#"{"models": [], "datasets": ["x"]}"#), Linked { models: vec![], datasets: owned(&["x"]) });
}

/// Texts that would take long if anything were looked at again and again.
#[test]
fn the_worst_text_of_the_largest_size_is_read_at_once() {
    let size = usize::try_from(MAX_FILE).unwrap();
    for piece in [
        "(",
        "f(",
        "'",
        "\"\"\"",
        "\\",
        "://",
        "https://hf.co/",
        "a=",
        "a='b/c'\n",
        "from_pretrained(a,",
        "`",
        "=",
        "a/",
    ] {
        let text = piece.repeat(size / piece.len());
        for path in ["a.py", "a.html", "a.ini"] {
            let begun = Instant::now();
            read(path, &text);
            // Some milliseconds; a quadratic reader takes minutes.
            assert!(begun.elapsed().as_secs() < 5, "{path}: {piece}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_odd(text: String, pieces in prop::collection::vec(
        prop::sample::select(vec![
            "from_pretrained", "(", ")", "'", "\"", "\"\"\"", ",", "a/b", "=", "://", "https", "hf.co/", "\\", "\n", "é", "#",
            "gr", ".", "load", "[", "}", "`", "f", "model", "datasets/",
        ]), 0..60)) {
        let joined = pieces.concat();
        for path in ["a.py", "a.html", "a.ini"] {
            for text in [&text, &joined] {
                let linked = read(path, text);
                for id in linked.models.iter().chain(&linked.datasets) {
                    prop_assert!(text.contains(id.split('/').next_back().unwrap_or_default()), "{id}");
                    prop_assert!(id.split('/').all(is_name), "{id}");
                }
            }
        }
    }
}
