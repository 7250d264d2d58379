"""docs/deploy.md, whose quotations the tests hold against what is really said."""

import helm_chart

PAGE = (helm_chart.SOURCE / "docs" / "deploy.md").read_text()


def quoted(message, namespace="sentiment"):
    """The message, after a look whether the page has it, with its own namespace in place of this one."""
    assert message.replace(namespace, "sentiment") in PAGE
    return message
