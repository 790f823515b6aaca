"""CrewAI."""

from __future__ import annotations

from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main, weather


def llm(model: str, **options: Any) -> Any:
    return LLM(model=f"openai/{model}", base_url=OPENAI_URL, api_key=KEY, max_retries=0, **options)


def crew(model: str, tools: Any = ()) -> Any:
    agent = Agent(
        role="helper", goal="help", backstory="a helper", llm=llm(model), tools=list(tools), max_retry_limit=0
    )
    task = Task(description=QUESTION, expected_output="an answer", agent=agent)
    return Crew(agents=[agent], tasks=[task])


main({
    "plain": lambda model: crew(model).kickoff(),
    "stream": lambda model: llm(model, stream=True).call(QUESTION),
    "tool": lambda model: crew(model, [tool("weather")(weather)]).kickoff(),
    "async": lambda model: crew(model).kickoff_async(),
    "error": lambda model: expect_error(lambda: llm(model).call(QUESTION)),
})  # fmt: skip
