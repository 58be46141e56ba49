using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;

namespace ChannelBridge.Core.Responses;

/// <summary>A request with everything that it names.</summary>
/// <param name="Items">The whole conversation, oldest first, nothing left to look up.</param>
/// <param name="Input">The request's own input, references replaced.</param>
/// <param name="Session">The conversation, or null for a new one.</param>
internal sealed record Conversation(IReadOnlyList<ResponseItem> Items, IReadOnlyList<ResponseItem> Input, string? Session);

/// <summary>Puts a conversation together: what was said before, references, compacted parts; and refuses results of calls that nobody made.</summary>
internal sealed class ConversationResolver(ResponseRecords records, ItemSeal seal, CallMemory memory, ResponseOptions options)
{
    private const int LongestChain = 10_000;

    /// <summary>Resolves a request.</summary>
    /// <exception cref="BridgeException"><c>NOT_FOUND</c>: what is continued isn't there. <c>INVALID_REQUEST</c>: a reference or a call isn't known.</exception>
    public async ValueTask<Conversation> ResolveAsync(
        ResponseRequest request, IReadOnlyList<ResponseItem>? given, string? session, string owner, CancellationToken cancellationToken)
    {
        var history = given;
        if (history is null && request.PreviousResponseId is { } previous) (history, session) = await ReadChainAsync(previous, owner, cancellationToken).ConfigureAwait(false);
        history = given is null ? history ?? [] : await ResolveAsync(given, owner, cancellationToken).ConfigureAwait(false);
        var input = new List<ResponseItem>(request.Input.Count);
        for (var i = 0; i < request.Input.Count; i++)
        {
            input.Add(request.Input[i] is ItemReference reference
                ? await FindAsync(reference.Id!, history, i, owner, cancellationToken).ConfigureAwait(false)
                : request.Input[i]);
        }

        CheckCalls(history, input);
        var items = new List<ResponseItem>(history.Count + input.Count);
        foreach (var item in history.Concat(input))
        {
            var hidden = item switch
            {
                CompactionItem compaction => compaction.EncryptedContent,
                ReasoningItem reasoning => reasoning.EncryptedContent,
                _ => null,
            };
            if (hidden is not null && await seal.OpenAsync(hidden, owner, cancellationToken).ConfigureAwait(false) is { } opened)
                items.AddRange(opened);
            else if (item is FunctionCallItem call) await AddCallAsync(items, call, owner, cancellationToken).ConfigureAwait(false);
            else items.Add(item);
        }

        return new Conversation(items, input, session);
    }

    /// <summary>Adds a call with what its provider wants back with it: a client that keeps the conversation itself was never shown
    /// that.</summary>
    private async ValueTask AddCallAsync(List<ResponseItem> items, FunctionCallItem call, string owner, CancellationToken cancellationToken)
    {
        if (call.Extra is not null)
        {
            items.Add(call);
            return;
        }

        var found = memory.Find(owner, call.CallId);
        if (found is null && call.Id is { } id && ResponseRecords.ResponseOf(id) is { } response
            && await records.GetAsync(response, owner, cancellationToken).ConfigureAwait(false) is { Kept: not null } record)
        {
            var kept = new CallMemory();
            kept.Keep(owner, record.ReadOutput());
            found = kept.Find(owner, call.CallId);
        }

        if (found is { Reasoning: { } reasoning } && !IsKnown(items, reasoning)) items.Add(reasoning);
        items.Add(found is { Extra: { } extra } ? call with { Extra = extra } : call);
    }

    /// <summary>True when this answer's reasoning is there already: the client was given it, or it came by the response's id.</summary>
    private static bool IsKnown(List<ResponseItem> items, ReasoningItem reasoning)
    {
        for (var i = items.Count - 1; i >= 0; i--)
        {
            if (items[i] is ReasoningItem known)
            {
                if (known.Content is { Count: > 0 } || known.EncryptedContent is not null) return true;
                if (known.Id != reasoning.Id) continue;
                // The client has the item's summary; the rest is here.
                items[i] = reasoning;
                return true;
            }

            if (items[i] is FunctionCallOutputItem or MessageItem { Role: not "assistant" }) return false;
        }

        return false;
    }

    private async ValueTask<IReadOnlyList<ResponseItem>> ResolveAsync(IReadOnlyList<ResponseItem> given, string owner, CancellationToken cancellationToken)
    {
        if (!given.Any(item => item is ItemReference)) return given;
        var items = new List<ResponseItem>(given.Count);
        for (var i = 0; i < given.Count; i++)
            items.Add(given[i] is ItemReference reference ? await FindAsync(reference.Id!, items, i, owner, cancellationToken).ConfigureAwait(false) : given[i]);
        return items;
    }

    /// <summary>What was said up to and with a stored response.</summary>
    public async ValueTask<(List<ResponseItem> Items, string Session)> ReadChainAsync(string id, string owner, CancellationToken cancellationToken)
    {
        var turns = new Stack<(JsonElement Input, ResponseRecord Record)>();
        string? session = null;
        long size = 0;
        for (string? next = id; next is not null;)
        {
            var record = await records.GetAsync(next, owner, cancellationToken).ConfigureAwait(false)
                ?? throw ResponseErrors.NotFound($"The response '{id}' or one that it continues is not known here: unknown, expired, deleted, not stored, or another token's.",
                    "previous_response_id", ResponseErrors.PreviousNotFound);
            session ??= record.Session;
            var output = record.Response.GetProperty("output");
            size += record.Input.GetRawText().Length + output.GetRawText().Length;
            if (size > options.ConversationCapacity || turns.Count >= LongestChain)
                throw ResponseErrors.Invalid("The conversation is longer than this host takes; compact it and begin a new chain.",
                    "previous_response_id", "context_length_exceeded");
            turns.Push((record.Input, record));
            next = record.Previous;
        }

        var items = new List<ResponseItem>();
        foreach (var (input, last) in turns)
        {
            items.AddRange(ItemJson.Read(input));
            items.AddRange(last.ReadOutput());
        }

        return (items, session!);
    }

    private async ValueTask<ResponseItem> FindAsync(string id, IReadOnlyList<ResponseItem> history, int index, string owner, CancellationToken cancellationToken)
    {
        if (history.FirstOrDefault(item => item.Id == id) is { } here) return here;
        if (ResponseRecords.ResponseOf(id) is { } response && await records.GetAsync(response, owner, cancellationToken).ConfigureAwait(false) is { } record)
        {
            var items = record.ReadOutput().Concat(ItemJson.Read(record.Input));
            if (items.FirstOrDefault(item => item.Id == id) is { } stored) return stored;
        }

        throw ResponseErrors.Invalid($"input[{index}] refers to an item that is not known here: give the item itself.", $"input[{index}].id", "item_not_found");
    }

    private static void CheckCalls(IReadOnlyList<ResponseItem> history, List<ResponseItem> input)
    {
        HashSet<string>? calls = null;
        for (var i = 0; i < input.Count; i++)
        {
            if (input[i] is not FunctionCallOutputItem output) continue;
            calls ??= history.Concat(input).OfType<FunctionCallItem>().Select(call => call.CallId).ToHashSet(StringComparer.Ordinal);
            if (!calls.Contains(output.CallId))
                throw ResponseErrors.Invalid($"input[{i}] is the output of a call that is not in this conversation.", $"input[{i}].call_id", "unknown_call_id");
        }
    }
}
