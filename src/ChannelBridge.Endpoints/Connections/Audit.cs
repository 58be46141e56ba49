using ChannelBridge.Abstractions.Access;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Endpoints.Connections;

/// <summary>Who came in and who didn't, for the log and the rates. Names of tokens only.</summary>
internal sealed partial class Audit(EndpointRuntime runtime)
{
    private readonly ILogger _logger = runtime.Logger;

    /// <summary>A wrong or missing token, or a device that isn't the one it says it is.</summary>
    public void Failed(ClientConnection connection, string client, string? identity = null, string reason = ConnectRefusal.WrongToken)
    {
        runtime.Attempts.Failed(connection.Origin.Door, connection.Origin.Address, identity, reason);
        LogFailed(connection.Id, connection.Origin, client);
    }

    /// <summary>
    /// A good token. The commands of the host's own user come and go by the socket all the time: they are worth no line of a quiet log.
    /// </summary>
    public void Authenticated(ClientConnection connection, string client)
    {
        if (connection.Origin.Door == Door.Local) LogCommand(connection.Id, connection.Origin, connection.Caller.Name, client);
        else LogAuthenticated(connection.Id, connection.Origin, connection.Caller.Name, client);
    }

    [LoggerMessage(EventId = LogEvents.AuditFailed, Level = LogLevel.Warning, Message = "Failed authentication on connection {Id} from {Origin}, client {Client}")]
    private partial void LogFailed(string id, ConnectionOrigin origin, string client);

    [LoggerMessage(EventId = LogEvents.AuditAuthenticated, Level = LogLevel.Information,
        Message = "Connection {Id} from {Origin} authenticated with token '{Token}', client {Client}")]
    private partial void LogAuthenticated(string id, ConnectionOrigin origin, string token, string client);

    [LoggerMessage(EventId = LogEvents.AuditCommand, Level = LogLevel.Debug, Message = "Connection {Id} from {Origin} authenticated with token '{Token}', client {Client}")]
    private partial void LogCommand(string id, ConnectionOrigin origin, string token, string client);
}
