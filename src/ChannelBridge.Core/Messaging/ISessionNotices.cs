using ChannelBridge.Abstractions.Messaging;

namespace ChannelBridge.Core.Messaging;

/// <summary>The way of notices into sessions of the OpenClaw gateway; a host without the gateway's link has none.</summary>
internal interface ISessionNotices
{
    /// <summary>The notice as the outbox keeps it until the link takes it.</summary>
    OutboundMessage Message(GatewaySessionOrigin session, string text);
}
