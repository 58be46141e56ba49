using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Abstractions.Storage;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// What the agent says to pushes. It is written in the commit that ends the turn; where the push's route names a target it is told there, once, whatever crashes in
/// between; else it is
/// kept for a while and sent to nobody.
/// </summary>
internal sealed partial class AnswerBook(IRecords records, INotifier notifier, TimeProvider time, ILogger<AnswerBook> logger) : IDisposable
{
    private const string Kept = "juji.answer";
    private const string Owed = "juji.owed";
    private const int Page = 500;
    private const int MaxText = 100_000;
    private static readonly TimeSpan KeptFor = TimeSpan.FromDays(7);
    private readonly SemaphoreSlim _settling = new(1);

    /// <summary>What is to be written with a turn's end.</summary>
    public IReadOnlyList<RecordWrite> End(TurnEnding ending)
    {
        var text = string.Join("\n\n", ending.Replies.Select(static reply => reply.Text).Where(static text => !string.IsNullOrEmpty(text)));
        if (text.Length == 0) return [];
        if (text.Length > MaxText) text = text[..MaxText] + "…";
        var message = ending.Turn.Message;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        var target = message.Route.Length == 0 || PushRoutes.TargetOf(message.Route) is null ? null : message.Route;
        var answer = new KeptAnswer(message.AccountId, message.SessionKey, now, target, text);
        return
        [
            new RecordPut
            {
                Namespace = target is null ? Kept : Owed,
                Key = ending.Turn.Id.ToString("N"),
                Value = JsonSerializer.SerializeToUtf8Bytes(answer, AnswerJson.Default.KeptAnswer),
                Index = AccountIds.Key(message.AccountId),
                ExpiresAt = target is null ? now + (long)KeptFor.TotalMilliseconds : 0,
                At = now,
            },
        ];
    }

    /// <summary>Tells what is owed. What can't be told now is tried at the next answer and at the next start.</summary>
    public async Task SettleAsync(CancellationToken cancellationToken)
    {
        await _settling.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            string? after = null;
            while (true)
            {
                var page = await records.ListRecordsAsync(Owed, null, after, Page, cancellationToken).ConfigureAwait(false);
                foreach (var record in page) await TellAsync(record, cancellationToken).ConfigureAwait(false);
                if (page.Count < Page) return;
                after = page[^1].Key;
            }
        }
        finally
        {
            _settling.Release();
        }
    }

    /// <summary>The last answers that went to nobody, the newest first.</summary>
    public async ValueTask<IReadOnlyList<KeptAnswer>> ListAsync(string accountId, int most, CancellationToken cancellationToken)
    {
        var found = new List<KeptAnswer>();
        string? after = null;
        while (true)
        {
            var page = await records.ListRecordsAsync(Kept, AccountIds.Key(accountId), after, Page, cancellationToken).ConfigureAwait(false);
            found.AddRange(page.Select(static record => JsonSerializer.Deserialize(record.Value.Span, AnswerJson.Default.KeptAnswer)!));
            found = [.. found.OrderByDescending(static answer => answer.At).Take(most)];
            if (page.Count < Page) return found;
            after = page[^1].Key;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _settling.Dispose();

    private async Task TellAsync(StoreRecord record, CancellationToken cancellationToken)
    {
        var answer = JsonSerializer.Deserialize(record.Value.Span, AnswerJson.Default.KeptAnswer)!;
        try
        {
            await notifier.NotifyAsync(
                PushRoutes.TargetOf(answer.Target!)!, answer.Text, "juji/answer/" + record.Key, [new RecordDelete { Namespace = Owed, Key = record.Key }],
                    cancellationToken).ConfigureAwait(false);
        }
        catch (BridgeException fault) when (fault.Retryable)
        {
            LogNotSettled(logger, answer.Target!, fault.Code);
        }
        catch (BridgeException fault)
        {
            // A target that there is no more: the answer is kept like one that has none.
            LogNotSettled(logger, answer.Target!, fault.Code);
            var now = time.GetUtcNow().ToUnixTimeMilliseconds();
            await records.WriteAsync(
                [
                    new RecordPut
                    {
                        Namespace = Kept,
                        Key = record.Key,
                        Value = record.Value,
                        Index = AccountIds.Key(answer.AccountId),
                        ExpiresAt = now + (long)KeptFor.TotalMilliseconds,
                        At = now,
                    },
                    new RecordDelete { Namespace = Owed, Key = record.Key },
                ],
                cancellationToken).ConfigureAwait(false);
        }
    }

    [LoggerMessage(LogEvents.AnswerBookNotSettled, LogLevel.Warning, "An answer to a push of the Juji community could not be told to {Target} ({Code}).")]
    private static partial void LogNotSettled(ILogger logger, string target, string code);
}

/// <summary>An answer of the agent to a push.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="SessionKey">The conversation.</param>
/// <param name="At">When its turn ended (Unix ms).</param>
/// <param name="Target">Where it goes, or null: to nobody.</param>
/// <param name="Text">The answer.</param>
internal sealed record KeptAnswer(string AccountId, string SessionKey, long At, string? Target, string Text);

/// <summary>Serialization of what is kept.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(KeptAnswer))]
internal sealed partial class AnswerJson : JsonSerializerContext;
