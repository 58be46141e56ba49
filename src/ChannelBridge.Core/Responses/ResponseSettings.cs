using ChannelBridge.Abstractions.Settings;

namespace ChannelBridge.Core.Responses;

/// <summary>The keys of Open Responses: <c>Responses</c>.</summary>
internal static class ResponseSettings
{
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>The keys.</summary>
    public static readonly SettingGroup<ResponseOptions> Keys = new SettingGroup<ResponseOptions>("Responses:")
        .Number(
            "Slots",
            1,
            100_000,
            o => o.Slots,
            (o, v) => o.Slots = (int)v,
            "Responses of one agent that run at once; one token holds four of five at most")
        .Number(
            "QueueCapacity",
            0,
            1_000_000,
            o => o.QueueCapacity,
            (o, v) => o.QueueCapacity = (int)v,
            "Responses of one agent that wait for a slot (`response.queued`), of one token three of four; beyond it `too_many_requests`")
        .Duration("Timeout", TimeSpan.FromSeconds(1), Day, o => o.Timeout, (o, v) => o.Timeout = v, "The longest time for one response, waiting included")
        .Flag("CancelOnDisconnect", o => o.CancelOnDisconnect, (o, v) => o.CancelOnDisconnect = v,
            "Cancel a response whose client has left, unless it asked for `background`; `false`: it goes on and can be resumed")
        .Duration(
            "AbandonedAfter",
            TimeSpan.FromSeconds(1),
            Day,
            o => o.AbandonedAfter,
            (o, v) => o.AbandonedAfter = v,
            "A response that nobody reads for so long is ended and frees its slot, unless it asked for `background`")
        .Duration("ReplayRetention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(366), o => o.ReplayRetention, (o, v) => o.ReplayRetention = v,
            "How long the events of a response can be replayed after its end")
        .Size("ReplayCapacity", 1 << 20, 1L << 50, o => o.ReplayCapacity, (o, v) => o.ReplayCapacity = v, "Disk for replay; beyond it the events of the oldest ended responses go")
        .Duration("Retention", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3660), o => o.Retention, (o, v) => o.Retention = v,
            "How long stored responses are kept for `previous_response_id` and `GET`")
        .Size("ConversationCapacity", 1 << 16, 1L << 40, o => o.ConversationCapacity, (o, v) => o.ConversationCapacity = v, "The items of one conversation, earlier turns included")
        .Size("MaxBodyBytes", 1024, int.MaxValue, o => o.MaxBodyBytes, (o, v) => o.MaxBodyBytes = (int)v, "The largest body of a request")
        .Number("DeltaGraphemes", 1, 100_000, o => o.DeltaGraphemes, (o, v) => o.DeltaGraphemes = (int)v, "Letters (graphemes) of one delta at most")
        .Duration("DeltaInterval", TimeSpan.Zero, TimeSpan.FromSeconds(10), o => o.DeltaInterval, (o, v) => o.DeltaInterval = v,
            "How long text is gathered before it goes; `0s`: what is there goes as soon as the agent pauses")
        .Number("HeldGraphemes", 0, 1000, o => o.HeldGraphemes, (o, v) => o.HeldGraphemes = (int)v, "Letters that are held back of an agent that may correct itself (`openclaw`)")
        .Duration("HeldTime", TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(10), o => o.HeldTime, (o, v) => o.HeldTime = v, "How long they are held back at most")
        .Choice<RawReasoning>("RawReasoning", o => o.RawReasoning, (o, v) => o.RawReasoning = v,
            "Raw reasoning: not at all, by the spec's event names, or by those that OpenAI's clients know")
        .Duration("Heartbeat", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), o => o.Heartbeat, (o, v) => o.Heartbeat = v,
            "How often a comment keeps an idle event stream alive")
        .Duration("SocketLifetime", TimeSpan.FromMinutes(1), Day, o => o.SocketLifetime, (o, v) => o.SocketLifetime = v, "How long a WebSocket of `/v1/responses` may live");
}
