using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Endpoints;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.Juji;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace JujiCommunity.Rest;

/// <summary>The operations at their addresses below <c>/juji</c>; capabilities and <c>openapi.json</c> name them.</summary>
public sealed class CommunityRest(IEnumerable<RestOperation> operations) : IEndpointSource
{
    private static readonly EndpointRate Rate = EndpointRate.PerMinute(600);

    public string Channel => "juji-endpoint";

    public IEnumerable<HttpEndpoint> Http => operations.Select(operation => new HttpEndpoint
    {
        Verbs = ["POST"],
        Path = "/juji" + operation.Path,
        Access = EndpointAccess.Anonymous,
        MaxBodyBytes = 256 * 1024,
        Rate = Rate,
        Handler = async (exchange, cancellationToken) =>
        {
            var answer = await operation.RunAsync(new RestCall(await ReadAsync(exchange, cancellationToken)), cancellationToken);
            await exchange.AnswerAsync(HttpAnswer.Json(Encoding.UTF8.GetBytes(answer.ToJsonString())), cancellationToken);
        },
    });

    public IEnumerable<SocketEndpoint> Sockets => [];

    private static async ValueTask<JsonElement> ReadAsync(HttpExchange exchange, CancellationToken cancellationToken)
    {
        var body = await exchange.ReadBodyAsync(cancellationToken);
        if (body.Length > 0)
        {
            try
            {
                return JsonElement.Parse(body.Span);
            }
            catch (JsonException fault)
            {
                throw new BridgeException(ErrorCodes.InvalidRequest, "the body is no JSON", fault);
            }
        }

        // What stands in the query are numbers.
        var query = new JsonObject();
        foreach (var name in new[] { "task_id", "agent_id" })
        {
            if (exchange.Request.QueryValue(name) is { } text) query[name] = long.TryParse(text, out var number) ? number : text;
        }

        return JsonElement.Parse(query.ToJsonString());
    }
}

/// <summary>Adds the operations.</summary>
public static class RestServices
{
    public static IServiceCollection AddCommunityRest(this IServiceCollection services)
    {
        Add<ContentPublish>(services);
        Add<TaskCreate>(services);
        Add<TaskJoin>(services);
        Add<TaskSubmit>(services);
        Add<AssetIssuanceApply>(services);
        services.AddContributor<CommunityRest>();
        return services;
    }

    private static void Add<T>(IServiceCollection services)
        where T : RestOperation
    {
        services.TryAddSingleton<T>();
        services.AddSingleton<RestOperation>(provider => provider.GetRequiredService<T>());
        services.AddSingleton(provider =>
        {
            var operation = provider.GetRequiredService<T>();
            return new JujiRestOperation("POST", operation.Path, operation.Summary);
        });
    }
}
