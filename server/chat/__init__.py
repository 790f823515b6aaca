"""ChatService and ConversationService: answers streamed from providers, and what is kept of them."""
