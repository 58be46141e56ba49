using System.Buffers;
using System.Collections.Concurrent;
using System.Text;
using ChannelBridge.Abstractions.Agents;
using ChannelBridge.Abstractions.Connections;
using ChannelBridge.Abstractions.Messaging;
using ChannelBridge.Channels.Bncr.Wire;

namespace ChannelBridge.Channels.Bncr.Leases;

/// <summary>
/// Shows answers while they grow to bridges that asked for it (<c>bncr.inbound {stream:true}</c>): events <c>partial</c> to the account's primary client. They
/// are not durable and not repeated; the finished message comes through the outbox under the same <c>streamId</c>, after the last of them.
/// </summary>
internal sealed class PartialPresenter(BncrAccounts accounts, TimeProvider time)
{
    private readonly ConcurrentDictionary<Guid, Show> _shows = new();

    public void OnTurnEvent(AgentTurn turn, int ordinal, AgentEvent agentEvent)
    {
        if (!turn.Message.Stream || turn.Message.Channel != BncrChannel.ChannelId || turn.Request is not null) return;
        if (agentEvent is not (AgentPartial or AgentRewrite or AgentReply or AgentMessageEnd or AgentRefusal)) return;
        if (!_shows.TryGetValue(turn.Id, out var show))
        {
            if (!accounts.TryGet(turn.Message.AccountId, out var account) || !BncrRoute(turn, out var route)) return;
            _shows[turn.Id] = show = new Show(account, turn, route, time);
        }

        show.On(ordinal, agentEvent);
    }

    public void OnTurnEnded(AgentTurn turn, bool failed)
    {
        if (_shows.TryRemove(turn.Id, out var show)) show.End(failed);
    }

    private static bool BncrRoute(AgentTurn turn, out Routing.BncrRoute route) => Routing.BncrRoute.TryParseScope(turn.Message.Route, out route);

    /// <summary>One turn as one client sees it. When the client is slower than the model, what comes meanwhile goes in one piece.</summary>
    private sealed class Show(BncrAccount account, AgentTurn turn, Routing.BncrRoute route, TimeProvider time)
    {
        private const int MaxInFlight = 16;

        private readonly Lock _gate = new();
        private readonly StringBuilder _shown = new();
        private readonly StringBuilder _pending = new();
        private int _ordinal;
        private int _inFlight;
        private bool _replace;

        public void On(int ordinal, AgentEvent agentEvent)
        {
            lock (_gate)
            {
                if (ordinal != _ordinal) Begin(ordinal);
                switch (agentEvent)
                {
                    case AgentPartial partial:
                        _pending.Append(partial.Suffix);
                        break;
                    case AgentRefusal refusal:
                        _pending.Append(refusal.Suffix);
                        break;
                    case AgentRewrite rewrite:
                        Become(rewrite.Text);
                        break;
                    case AgentReply reply:
                        Become(reply.Text);
                        Send(force: true);
                        Begin(ordinal + 1);
                        return;
                    case AgentMessageEnd:
                        Send(force: true);
                        Begin(ordinal + 1);
                        return;
                }

                Send(force: false);
            }
        }

        public void End(bool failed)
        {
            lock (_gate)
            {
                if (!failed) Send(force: true);
                else if (_shown.Length + _pending.Length > 0) Push(aborted: true);
            }
        }

        private void Begin(int ordinal)
        {
            _ordinal = ordinal;
            _shown.Clear();
            _pending.Clear();
            _replace = false;
        }

        private void Become(string text)
        {
            if (!_replace && text.Length >= _shown.Length && _shown.Equals(text.AsSpan(0, _shown.Length)))
            {
                _pending.Clear().Append(text, _shown.Length, text.Length - _shown.Length);
                return;
            }

            _replace = true;
            _pending.Clear().Append(text);
        }

        private void Send(bool force)
        {
            if (_pending.Length == 0 && !_replace) return;
            if (force || _inFlight < MaxInFlight) Push(aborted: false);
        }

        private void Push(bool aborted)
        {
            var payload = Render(aborted);
            if (_replace) _shown.Clear();
            _shown.Append(_pending);
            _pending.Clear();
            _replace = false;
            if (account.Primary is not { } session || !session.MaySee(turn.Message.SessionKey)) return;
            _inFlight++;
            // The call itself fixes the order among the connection's events; the finished message is pushed later.
            var pushed = session.Connection.PushAsync(session.EventPrefix + EventPrefixes.Partial, payload);
            if (pushed.IsCompletedSuccessfully) Done(pushed.Result);
            else _ = DoneAsync(pushed.AsTask());
        }

        private async Task DoneAsync(Task<PushOutcome> pushed)
        {
            try
            {
                Done(await pushed.ConfigureAwait(false));
            }
            catch (Exception)
            {
                // Nobody depends on a partial text; the finished message is what counts.
                Done(PushOutcome.Gone);
            }
        }

        private void Done(PushOutcome outcome)
        {
            lock (_gate)
            {
                _inFlight--;
                if (outcome == PushOutcome.Flushed && _inFlight == MaxInFlight - 1) Send(force: false);
            }
        }

        private byte[] Render(bool aborted)
        {
            var output = new ArrayBufferWriter<byte>(320 + _pending.Length);
            PartialRenderer.Render(output, new PartialItem(
                MessageIds.ForReply(turn.Message.Channel, turn.Message.AccountId, turn.Id, _ordinal), turn, route, _replace ? 0 : _shown.Length,
                _replace, _pending.ToString(), aborted,
                time.GetUtcNow().ToUnixTimeMilliseconds()));
            return output.WrittenSpan.ToArray();
        }
    }
}
