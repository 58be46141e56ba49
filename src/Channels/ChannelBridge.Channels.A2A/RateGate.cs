using System.Collections.Concurrent;
using ChannelBridge.A2A;

namespace ChannelBridge.Channels.A2A;

/// <summary>How often a peer may call: a bucket for sends and one for everything else, for each.</summary>
internal sealed class RateGate(A2AOptions options, TimeProvider time)
{
    private readonly ConcurrentDictionary<(string Peer, bool Send), Bucket> _buckets = new();

    /// <summary>Takes a place.</summary>
    /// <exception cref="A2AException">Too often: 429, with a time.</exception>
    public void Take(string peer, bool send)
    {
        var perMinute = send ? options.SendsPerMinute : options.ReadsPerMinute;
        var bucket = _buckets.GetOrAdd((peer, send), static (_, start) => new Bucket(start.perMinute, start.now), (perMinute, now: time.GetTimestamp()));
        if (bucket.Take(perMinute, time) is not { } wait) return;
        throw new A2AException(A2AError.Internal, send ? $"You send more than {perMinute} messages a minute; wait." : $"You ask more than {perMinute} times a minute; wait.")
        {
            Code = Abstractions.Errors.ErrorCodes.RateLimited,
            HttpStatus = 429,
            Retryable = true,
            RetryAfter = wait,
        };
    }

    private sealed class Bucket(double tokens, long at)
    {
        private readonly Lock _lock = new();
        private double _tokens = tokens;
        private long _at = at;

        public TimeSpan? Take(int perMinute, TimeProvider time)
        {
            lock (_lock)
            {
                var now = time.GetTimestamp();
                _tokens = Math.Min(perMinute, _tokens + (time.GetElapsedTime(_at, now).TotalMinutes * perMinute));
                _at = now;
                if (_tokens < 1) return TimeSpan.FromMinutes((1 - _tokens) / perMinute);
                _tokens--;
                return null;
            }
        }
    }
}
