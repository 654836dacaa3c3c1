"""What `mkdocs` calls while it builds: links that hold in the repository, made to hold on the site."""

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What stands beside docs/ and has a page of the site.
ON_SITE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r"\]\((?:\.\./)?([A-Za-z_]+(?:/[\w./-]+)?\.?\w*)(#[\w-]+)?\)")


def on_config(config):
    """The repository's address stands once, in setup.cfg."""
    metadata = configparser.ConfigParser()
    metadata.read(ROOT / "setup.cfg", encoding="utf-8")
    config.repo_url, config.repo_name = metadata["metadata"].get("url"), metadata["metadata"]["name"]
    return config


def on_page_markdown(markdown, page, config, **_):
    """The page with its links to other files of the repository as the site has them."""
    is_from_root = page.file.src_uri in ("changelog.md", "contributing.md")

    def moved(found: re.Match) -> str:
        path, anchor = found[1], found[2] or ""
        if not is_from_root and "](../" not in found[0]:
            return found[0]
        return f"]({place_on_site(path, config.repo_url)}{anchor})"

    return LINK.sub(moved, markdown)


def place_on_site(path: str, repository: str | None) -> str:
    """Where the site has a file of the repository; else, where the repository shows it."""
    if path in ON_SITE:
        return ON_SITE[path]
    if path.startswith("docs/") and path.endswith(".md"):
        return path.removeprefix("docs/")
    if path.startswith("notebooks/"):
        return path
    return f"{repository}/blob/main/{path}"
