using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Aun;
using ChannelBridge.Channels.Aun.Connector;
using ChannelBridge.Channels.Aun.Sealing;
using ChannelBridge.Core.Hosting;
using ChannelBridge.Core.Net;
using ChannelBridge.Host.Terminal;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChannelBridge.Host.Commands.Aun;

internal static partial class AunCommand
{
    static partial void AddConnector(Command command)
    {
        command.Add(CreateIdentity());
        command.Add(Send());
        command.Add(Listen());
    }

    private static Command CreateIdentity()
    {
        var identity = new AunIdentityOptions();
        var command = new Command("create", "Registers an identity at a gateway; its key is made in the folder of identities first. No host is needed.");
        identity.AddTo(command);
        command.SetAction((parsed, cancellationToken) => RunAsync(async () =>
        {
            var account = identity.Read(parsed);
            using var link = Link(account, new AunOptions(), new FileRecords(null, TimeProvider.System));
            await link.EnsureAsync(cancellationToken).ConfigureAwait(false);
            Console.WriteLine($"{account.Aid}  {link.Gateway}");
        }));
        return command;
    }

    private static Command Send()
    {
        var identity = new AunIdentityOptions();
        var to = new Argument<string>("TO") { Description = "The receiver, e.g. bob.agentid.pub" };
        var text = new Argument<string[]>("TEXT") { Description = "What is said; words are joined by spaces", Arity = ArgumentArity.OneOrMore };
        var plain = new Option<bool>("--plain") { Description = "Send plain text instead of sealing it" };
        var payload = new Option<bool>("--payload") { Description = "TEXT is a payload, one JSON object" };
        var lax = new Option<bool>("--no-forward-secrecy") { Description = "Seal it also for a receiver that has no prekey" };
        var command = new Command("send", "Sends a message as one of your identities, sealed. No host is needed; an identity that isn't in the folder is registered.");
        identity.AddTo(command);
        command.Arguments.Add(to);
        command.Arguments.Add(text);
        foreach (var option in new Option[] { plain, payload, lax }) command.Options.Add(option);
        command.SetAction((parsed, cancellationToken) => RunAsync(async () =>
        {
            var account = identity.Read(parsed);
            (account.IsShort, account.Encrypt) = (true, !parsed.GetValue(plain));
            var options = new AunOptions { RequireForwardSecrecy = !parsed.GetValue(lax) };
            using var link = Link(account, options, new FileRecords(null, TimeProvider.System));
            var pushes = new AunPushes("aun", account, link, new NoOutbox(), options.Connector, TimeProvider.System, CancellationToken.None);
            var receiver = parsed.GetValue(to)!.ToLowerInvariant();
            var message = new OutboundMessage
            {
                Channel = AunChannel.ChannelId,
                AccountId = "aun",
                SessionKey = AunChannel.SessionKeyOf(account.Aid!, receiver),
                Route = receiver,
                Text = string.Join(' ', parsed.GetValue(text)!),
                Type = parsed.GetValue(payload) ? AunPushes.PayloadType : "text",
            };
            var answer = await link.OnceAsync(socket => pushes.SendAsync(socket, new PushItem(Guid.CreateVersion7(), 1, message, 0, 1), cancellationToken), cancellationToken)
                .ConfigureAwait(false);
            Console.WriteLine(answer.ValueKind == JsonValueKind.Undefined ? "{}" : answer.GetRawText());
        }));
        return command;
    }

    private static Command Listen()
    {
        var identity = new AunIdentityOptions();
        var json = new Option<bool>("--json") { Description = "Print each message as a line of JSON" };
        var once = new Option<bool>("--once") { Description = "End after the first message" };
        var command = new Command("listen",
            "Prints what is sent to one of your identities, opened, and acks it; ends with Ctrl-C. No host is needed, and none that is the same identity in the same slot may run.");
        identity.AddTo(command);
        command.Options.Add(json);
        command.Options.Add(once);
        command.SetAction((parsed, cancellationToken) => RunAsync(async () =>
        {
            var account = identity.Read(parsed);
            using var done = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            var options = new AunOptions();
            using var folder = new IdentityFolder(account.AunPath, account.Aid!, null);
            var records = new FileRecords(folder.RecordsPath, TimeProvider.System);
            var inbox = new PrintingInbox(records, parsed.GetValue(json), parsed.GetValue(once) ? done : null);
            using var whole = new AunAccount("aun", account, options, new RefusalBook(records, TimeProvider.System), new ConnectorParts(
                new WebSocketDialer(), inbox, new NoOutbox(), records, new SingleHost(), null, TimeProvider.System, Random.Shared, NullLoggerFactory.Instance));
            whole.Link.Ended = done.Cancel;
            await whole.RunAsync(done.Token, cancellationToken).ConfigureAwait(false);
            if (whole.Link.LastError is { } error && !inbox.HasEnded && !cancellationToken.IsCancellationRequested)
                throw new BridgeException(ErrorCodes.Unavailable, error);
        }));
        return command;
    }

    private static AunLink Link(AunAccountOptions account, AunOptions options, FileRecords records) => new(
        "aun", account, options, new WebSocketDialer(), records, TimeProvider.System, Random.Shared, NullLogger<AunLink>.Instance);

    private static async Task<int> RunAsync(Func<Task> action)
    {
        try
        {
            await action().ConfigureAwait(false);
            return ExitCodes.Ok;
        }
        catch (Exception fault) when (fault is BridgeException or SealingException)
        {
            await Console.Error.WriteLineAsync("error: " + PlainText.Clean(fault.Message)).ConfigureAwait(false);
            return fault switch
            {
                AunCallException { Class: AunErrorClass.Validation, GatewayCode: 0 } => ExitCodes.Usage,
                BridgeException { Code: ErrorCodes.Timeout } => ExitCodes.TimedOut,
                BridgeException { Code: ErrorCodes.Unavailable } and not AunCallException => ExitCodes.Unreachable,
                _ => ExitCodes.Refused,
            };
        }
    }

    /// <summary>Prints what is accepted, and keeps what rides along.</summary>
    private sealed class PrintingInbox(FileRecords records, bool json, CancellationTokenSource? endAfterFirst) : IInbox
    {
        private readonly HashSet<UInt128> _known = [];

        /// <summary>True once it has ended the command.</summary>
        public bool HasEnded { get; private set; }

        public async ValueTask<InboxReceipt> AcceptAsync(
            InboundMessage message, UInt128 dedupeKey, TimeSpan dedupeWindow, IReadOnlyList<Abstractions.Storage.RecordWrite>? alongside = null,
            CancellationToken cancellationToken = default)
        {
            if (HasEnded) throw new OperationCanceledException();
            if (!_known.Add(dedupeKey)) return new InboxReceipt(Guid.Empty, true);
            Console.WriteLine(json
                ? new JsonObject { ["from"] = message.SenderId, ["messageId"] = message.MessageId, ["type"] = message.Type, ["text"] = message.Text }.ToJsonString()
                : $"{message.SenderId}: {PlainText.Clean(message.Text)}");
            if (alongside is not null) await records.WriteAsync(alongside, cancellationToken).ConfigureAwait(false);
            if (endAfterFirst is not null)
            {
                HasEnded = true;
                // The ack follows the acceptance; it may take a moment.
                endAfterFirst.CancelAfter(TimeSpan.FromMilliseconds(500));
            }

            return new InboxReceipt(Guid.NewGuid(), false);
        }
    }

    /// <summary>A command has nothing that waits to be sent.</summary>
    private sealed class NoOutbox : IOutbox
    {
        public ValueTask<OutboxReceipt> SendAsync(
            OutboundMessage message, string idempotencyKey, IReadOnlyList<Abstractions.Storage.RecordWrite>? records = null, CancellationToken cancellationToken = default) =>
            throw new BridgeException(ErrorCodes.Unavailable, "a command sends nothing by itself");

        public ValueTask<AckResult> AckAsync(Ack ack, IReadOnlyList<Abstractions.Storage.RecordWrite>? records = null, CancellationToken cancellationToken = default) =>
            ValueTask.FromResult(AckResult.Acked);

        public void Attach(string channel, string accountId, IPushTarget target)
        {
        }

        public void Detach(string channel, string accountId, IPushTarget target)
        {
        }

        public Backlog GetBacklog(string channel, string accountId) => default;
    }
}
