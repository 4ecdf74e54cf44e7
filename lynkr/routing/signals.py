"""What a prompt says about the work ahead: named signals, each a pattern that is looked for in lower case.

A signal is there or not; how much it counts stands in weights.json. They are about what is asked (a question, a small
step, a change, a plan), how it is asked (an opinion, a nod, a list) and what is in play (files, errors, tests). What a
prompt does not say, no signal knows: most of the work shows later.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Signal(NamedTuple):
    """`words` say in an explanation what was seen."""

    name: str
    words: str
    pattern: re.Pattern[str]


def _signal(name: str, words: str, pattern: str) -> Signal:
    return Signal(name, words, re.compile(pattern, re.M))


_BEGIN = r"\A\W*"
SIGNALS = (
    # What is asked.
    _signal("asks", "ends with a question", r"\?\s*\Z"),
    _signal("question", "has a question", r"\?"),
    _signal("asks_what", "begins with what, why or how", _BEGIN + r"(?:what|why|how|which|where|who|when)\b"),
    _signal("asks_whether", "begins as a yes-or-no question",
            _BEGIN + r"(?:is|are|does|do|did|was|were|has|have|isn't|wouldn't|don't|doesn't|should|would)\b"),
    _signal("goes_on", "goes on from what was said",
            _BEGIN + r"(?:what|why|how|is|are|does|do|did|should|would|could|can|which|where|who|when|isn't|wouldn't|don't"
            r"|doesn't|so|but|and|or)\b"),
    _signal("asked_politely", "asks whether you can", r"\b(?:can|could|would) (?:you|we)\b"),
    _signal("wants_a_nod", "wants a nod", r"\b(?:right|correct|yeah|no|ok)\s*\?\s*\Z"),
    _signal("opinion", "says what the user thinks",
            r"\b(?:i think|i guess|i feel|maybe|i wonder|seems|i'd say|i don't think|actually|hmm+|wait|i mean|i assume|imo)\b"),
    _signal("nod", "begins with a nod",
            _BEGIN + r"(?:ok|okay|yes|yep|yeah|yup|sure|no|nope|thanks|thank you|great|good|perfect|nice|cool|sounds good"
            r"|looks good|lgtm|go ahead|do it|please do|continue|go on|proceed|correct|exactly|agreed|hello|hi)\b"),
    _signal("go_ahead", "tells to go ahead",
            r"\b(?:go ahead|do it|let'?s do|proceed|continue|implement (?:it|this|that)|please implement|go for it|make it so)\b"),
    _signal("explain", "asks for an explanation",
            r"\b(?:explain|tell me|describe|summar\w+|what does|how does|why (?:does|do|is|are|did)|what(?:'s| is| are))\b"),
    # What is to be done.
    _signal("build", "something is to be built", r"\b(?:implement|build|develop|write|rewrite|create)\b"),
    _signal("plan", "speaks of a plan", r"\bplan\b"),
    _signal("whole_plan", "a whole plan is to be carried out", r"implement the following plan|# plan"),
    _signal("rework", "code is to be rearranged",
            r"\b(?:refactor|restructur|reorgani[sz]|migrat|rework|redesign|clean ?up|extract|consolidat|replace|rename|convert"
            r"|port|split|merge)\w*"),
    _signal("add", "something is to be added", r"\b(?:add|introduce|support|enable|extend)\b"),
    _signal("fix", "something is to be mended", r"\b(?:fix|solve|resolve|repair|address|handle|correct)\b"),
    _signal("change", "something is to be changed", r"\b(?:change|update|adjust|modify|remove|delete|drop|move|use|make|set)\b"),
    _signal("run", "something is to be run", r"\b(?:run|execute|try|start)\b"),
    _signal("look", "something is to be looked at",
            r"\b(?:review\w*|audit|look (?:at|into|through)|check|verify|validate|find|search|compare)\b"),
    _signal("investigate", "a cause is to be found",
            r"\b(?:investigat\w+|debug\w*|figure out|root cause|dig|analys\w+|analyz\w+|explor\w+|understand)\b"),
    _signal("git", "is about commits and branches",
            r"\b(?:commit|push|pr|pull request|merge|rebase|branch|stash|checkout|tag|changelog|release)\b"),
    _signal("only_commit", "asks for a commit or a push",
            _BEGIN + r"(?:please |can you |now |ok,? |let'?s )*(?:git )?(?:commit|push)\b"),
    _signal("review_comments", "answers a review", r"\b(?:pr|review|copilot|bugbot|cursor) comments?\b|\bfeedback\b"),
    # What is in play.
    _signal("tests", "is about tests", r"\btests?\b|e2e|coverage"),
    _signal("lint", "is about formatting or CI", r"\blint\w*|\bfmt\b|\bformat\b|\bci\b"),
    _signal("everywhere", "speaks of all or every", r"\b(?:all|every|each|everywhere|entire|whole|across|throughout|both)\b"),
    _signal("list", "has a list", r"^[ \t]*(?:\d+[.)]|[-*\u2022])\s"),
    _signal("long_list", "has a list of three or more", r"(?:^[ \t]*(?:\d+[.)]|[-*\u2022])\s[^\n]*\n?){3}"),
    _signal("headings", "has headings", r"^#+ "),
    _signal("code", "quotes code", r"`[^`]+`"),
    _signal("code_block", "holds a block of code", r"```"),
    _signal("paths", "names files", r"\b[\w.-]+/[\w./-]+|\b\w+\.(?:go|py|ts|tsx|js|md|json|ya?ml|toml|sh|rs)\b"),
    _signal("lines", "names lines", r"lines? \d+|:\d+\b"),
    _signal("url", "holds a link", r"https?://"),
    _signal("trouble", "something goes wrong",
            r"\b(?:error|exception|fail\w*|panic|traceback|crash\w*|broken|bug|wrong|issue|doesn't work|not working)\b"),
    _signal("trace", "holds a stack trace", r"^[ \t]+at |traceback|goroutine|^[ \t]*file \""),
    _signal("diff", "holds a diff", r"^@@ |^[+-]{3} "),
    _signal("feature", "is about a feature", r"\bfeatures?\b|\bfunctionality\b|\bsupport for\b|\bnew\b"),
    _signal("design", "is about design", r"\b(?:architect\w*|design|strategy|approach|options?|alternativ\w*|trade-?offs?)\b"),
    _signal("words", "is about documents or wording",
            r"\b(?:docs?|documentation|readme|claude\.md|agents\.md|comment|description|wording|typo|text|message)\b"),
    _signal("ui", "is about an interface", r"\b(?:ui|button|page|modal|css|style|component|screen|layout)\b"),
    _signal("agents", "speaks of agents or skills", r"\b(?:subagent|agent|parallel|skill|workflow)\b"),
    _signal("steps", "speaks of steps or phases", r"\b(?:step|phase|part|task|todo|milestone) ?\d*\b"),
    _signal("command", "is a command of the tool's", r"<(?:command|local|task|system|bash)[-\w]*>|\A/\w+"),
    _signal("interrupted", "follows an interruption", r"\[request interrupted"),
    _signal("image", "comes with an image", r"\[image|screenshot"),
    _signal("resumed", "goes on from a summary", r"this session is being continued|continued from a previous"),
    _signal("ticket", "names a ticket", r"#\d+|\b[a-z]{2,5}-\d+\b"),
    # How it is said.
    _signal("negation", "says what not to do", r"\b(?:don't|do not|not|never|without|no)\b"),
    _signal("lets", "says let's", r"\blet'?s\b"),
    _signal("please", "says please", r"\bplease\b|\bpls\b"),
    _signal("sequence", "says what comes after", r"\b(?:then|after that|also|and then|finally|next|first)\b"),
    _signal("should", "says how it should be", r"\bshould\b"),
    _signal("we", "says we", r"\bwe\b"),
    _signal("you", "says you", r"\byou\b"),
    _signal("points_back", "points back to something", _BEGIN + r"(?:it|that|this|these|those|they|he|there)\b"),
    _signal("ellipsis", "trails off", r"\.\.\.|\u2026"),
    _signal("exclaims", "exclaims", r"!"),
    # Risk: what must not go wrong is no small work.
    _signal("risk", "touches what must not go wrong",
            r"\b(?:auth\w*|password\w*|payments?|billing|migrations?|production|secur\w+|encrypt\w*|permissions?|race|deadlock)\b"),
    _signal("think", "asks to think hard", r"\b(?:think (?:hard|harder|deeply|carefully|about)|ultrathink|think step by step)\b"),
)  # fmt: skip
