"""Stubs of the services that several test files use."""

from __future__ import annotations

import pytest
from llm_observe.v1.chat_service_pb2_grpc import ChatServiceStub
from llm_observe.v1.conversation_service_pb2_grpc import ConversationServiceStub

from tests.support.rpc import stub


@pytest.fixture
def chat(channel):
    return stub(ChatServiceStub, channel)


@pytest.fixture
def conversations(channel):
    return stub(ConversationServiceStub, channel)
